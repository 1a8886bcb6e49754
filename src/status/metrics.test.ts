import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleStatus } from "../../test/support/sample-status.ts";
import { renderMetrics } from "./metrics.ts";

/** Prometheus' text format: comments, and samples with labels and a number. */
const LINE =
  /^(# (HELP|TYPE) sluice_[a-z_]+ .+|sluice_[a-z_]+(\{([a-z_]+="([^"\\]|\\.)*",?)+\})? [0-9.e-]+)$/;
/** What samples of a histogram have behind its name. */
const SUFFIX = /_(bucket|sum|count)$/;

test("every line is a metric's, each metric has one HELP and one TYPE before its samples", () => {
  const lines = renderMetrics(sampleStatus()).trimEnd().split("\n");
  let name = "";
  const seen = new Set<string>();
  for (const line of lines) {
    assert.match(line, LINE);
    const [, kind = "", found = ""] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
    if (kind === "HELP") {
      assert.ok(!seen.has(found), `${found} twice`);
      seen.add((name = found));
    } else if (kind === "TYPE") {
      assert.equal(found, name);
      assert.equal(line.endsWith(" counter"), name.endsWith("_total"), line);
    } else {
      const sample = /^[a-z_]+/.exec(line)?.[0] ?? "";
      assert.equal(name.endsWith("_duration_seconds") ? sample.replace(SUFFIX, "") : sample, name);
    }
  }
});

test("numbers and labels are those of the status", () => {
  const lines = new Set(renderMetrics(sampleStatus()).split("\n"));
  for (const line of [
    'sluice_info{node="gw-1",version="1.2.3"} 1',
    "sluice_ready 1",
    'sluice_source_synced{source="kernel"} 1',
    "sluice_rows 1234",
    "sluice_endpoints 12",
    "sluice_rows_written_total 1300",
    "sluice_rows_deleted_total 66",
    "sluice_rows_repaired_total 3",
    "sluice_turns_total 7",
    "sluice_turn_duration_seconds 0.00125",
    'sluice_apply_duration_seconds_bucket{le="0.05"} 3',
    'sluice_apply_duration_seconds_bucket{le="+Inf"} 4',
    "sluice_apply_duration_seconds_sum 0.25",
    "sluice_apply_duration_seconds_count 4",
    'sluice_reason_packets_total{reason="NoRow",drop="false"} 90',
    'sluice_reason_packets_total{reason="NoGateway",drop="true"} 5',
    'sluice_reason_packets_total{reason="Invalid",drop="true"} 0',
    'sluice_sink_errors_total{sink="nftables"} 3',
    'sluice_sink_failing{sink="nftables"} 1',
    'sluice_sink_failing{sink="rows"} 0',
    'sluice_policy_endpoints{policy="we\\"b"} 12',
    'sluice_egress_ip_present{egress_ip="192.0.2.2"} 0',
    'sluice_issues{severity="error"} 1',
  ]) {
    assert.ok(lines.has(line), line);
  }
});

test("what cannot be read is absent, not zero", () => {
  const text = renderMetrics(sampleStatus({ packets: new Map(), ready: false }));
  assert.ok(!text.includes("reason_packets"));
  assert.ok(text.includes("sluice_ready 0\n"));
});
