// Reads a Namespace, of which only the labels matter (rule 3.2).

import type { Labels } from "../labels.ts";
import type { RawObject } from "./metadata.ts";
import { readLabels } from "./metadata.ts";

export function parseNamespace({ metadata }: RawObject): Labels {
  return readLabels(metadata);
}
