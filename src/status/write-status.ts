// A status as `sluice status -o json` writes it: the document as it came, for people who read it.

import type { Data } from "../lib/data.ts";
import type { Emit } from "../lib/screen.ts";
import type { Field } from "../plan/document.ts";
import { shortList, writeDocument } from "../plan/document.ts";
import type { ClusterStatusDocument } from "./cluster-document.ts";
import type { StatusDocument } from "./document.ts";

/** Writes it; fields that a newer agent added included. */
export function writeStatus(document: StatusDocument | ClusterStatusDocument, emit: Emit): void {
  const { apiVersion: _version, kind, ...rest } = document;
  const fields = Object.entries(rest).map(([key, value]): Field => {
    if (!Array.isArray(value)) return { key, value: value as Data };
    return { key, list: shortList(value as readonly Data[], (item) => item) };
  });
  writeDocument(kind, fields, "json", emit);
}
