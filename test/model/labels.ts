// Random labels and selectors, of few keys and values, and the choices that they are made of.

import fc from "fast-check";

type Values = Readonly<Record<string, readonly string[]>>;

// A selector whose text reads like that of another one is the nastiest of label keys.
export const NODE_LABELS: Values = { role: ["gw", "edge"], zone: ["a", "b"], everything: ["1"] };
export const POD_LABELS: Values = { app: ["web", "db"], tier: ["1"] };
export const NAMESPACE_LABELS: Values = { team: ["x", "y"] };

/** Some of the values, without repetitions, in any order. */
export function some<T>(
  values: readonly T[],
  { minLength = 0, maxLength = 3 } = {},
): fc.Arbitrary<T[]> {
  const most = Math.min(maxLength, values.length);
  return fc.shuffledSubarray([...values], { minLength, maxLength: most });
}

/** One of the values, or absent. */
export function maybe<T>(...values: readonly T[]): fc.Arbitrary<T | undefined> {
  return fc.constantFrom(...values, undefined);
}

export function often<T, U>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<U>): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: rare });
}

export function labels(values: Values, prefix = ""): fc.Arbitrary<Record<string, string>> {
  const keys = Object.keys(values);
  return fc.tuple(...keys.map((key) => maybe(...(values[key] ?? [])))).map((chosen) => {
    const pairs = chosen.flatMap((value, i): [string, string][] =>
      value === undefined ? [] : [[prefix + keys[i], value]],
    );
    return Object.fromEntries(pairs);
  });
}

function selector(values: Values): fc.Arbitrary<Record<string, unknown>> {
  const expression = fc.constantFrom(...Object.keys(values)).chain((key) => {
    const withValues = fc.record({
      key: fc.constant(key),
      operator: fc.constantFrom("In", "NotIn"),
      values: some(values[key] ?? [], { minLength: 1 }),
    });
    const operator = fc.constantFrom("Exists", "DoesNotExist");
    return fc.oneof(withValues, fc.record({ key: fc.constant(key), operator }));
  });
  const expressions = fc.array(expression, { minLength: 1, maxLength: 2 });
  const single = fc.constantFrom(...Object.keys(values)).map((key) => {
    return { matchLabels: { [key]: values[key]?.[0] } };
  });
  return fc.oneof(
    { weight: 3, arbitrary: single },
    { weight: 1, arbitrary: labels(values).map((matchLabels) => ({ matchLabels })) },
    { weight: 2, arbitrary: expressions.map((matchExpressions) => ({ matchExpressions })) },
    { weight: 2, arbitrary: fc.constant({}) },
  );
}

export const nodeSelector = selector(NODE_LABELS);
export const podSelector = selector(POD_LABELS);
export const namespaceSelector = selector(NAMESPACE_LABELS);
