// Metrics as text: Prometheus' text format 0.0.4.

import type { HistogramCounts } from "../lib/histogram.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;

export interface Sample {
  /** What a histogram's sample has behind the name. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
  readonly labels?: Labels;
  readonly value: number;
}

export interface Metric {
  /** After `sluice_`. */
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** A value that goes up and down. */
export function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "gauge", help, samples };
}

/** A value that only grows. */
export function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "counter", help, samples };
}

/** How values are spread. */
export function histogram(name: string, help: string, counts: HistogramCounts): Metric {
  const { buckets, count, sum } = counts;
  const samples: Sample[] = [
    ...buckets.map(({ atMost, count: value }): Sample => {
      return { suffix: "_bucket", labels: { le: String(atMost) }, value };
    }),
    { suffix: "_bucket", labels: { le: "+Inf" }, value: count },
    { suffix: "_sum", value: sum },
    { suffix: "_count", value: count },
  ];
  return { name, type: "histogram", help, samples };
}

/** Nothing without a sample: a metric that is not there is not zero. */
export function renderMetric({ name, type, help, samples }: Metric): string {
  if (samples.length === 0) return "";
  const full = `sluice_${name}`;
  const lines = samples.map(({ suffix = "", labels, value }) => {
    return `${full}${suffix}${renderLabels(labels)} ${value}\n`;
  });
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

function renderLabels(labels: Labels | undefined): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
