// Parses one raw value, as JSON or YAML gave it, to an object change. Which kinds there are stands
// here; what each of them says, in the file of its name.

import type { Issue } from "../issue.ts";
import { issue } from "../issue.ts";
import type { Kind, ObjectChange, ObjectKinds } from "../objects.ts";
import type { CreatedAt } from "../policy.ts";
import { parseCiliumEndpoint } from "./cilium-endpoint.ts";
import { parseCiliumIdentity } from "./cilium-identity.ts";
import { Fields, isMapping } from "./fields.ts";
import type { RawObject } from "./metadata.ts";
import { readObject } from "./metadata.ts";
import { parseIPPool } from "./ip-pool.ts";
import { parseNamespace } from "./namespace.ts";
import { parseNodeState } from "./node-state.ts";
import { parseCiliumNode, parseNode } from "./node.ts";
import { parsePod } from "./pod.ts";
import { parsePolicy } from "./policy.ts";
import { parseServiceCidr } from "./service-cidr.ts";
import { parseService } from "./service-addresses.ts";
import { closest, shorten, show } from "./wording.ts";

/** What kind of object a value says it is. */
export interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

/** Which of two versions of one object is the newer one; greater counts. */
export interface Version {
  /** `metadata.resourceVersion` as a number; -1 without one. */
  readonly resourceVersion: number;
  /** -1 without one. */
  readonly generation: number;
  readonly createdAt: CreatedAt;
}

export type Parsed =
  | { readonly kind: "object"; readonly change: ObjectChange; readonly version: Version }
  /** `itemType`: what items are that do not say it themselves, as in a PodList. */
  | {
      readonly kind: "list";
      readonly items: readonly unknown[];
      readonly itemType: TypeMeta | undefined;
    }
  /** An object of a kind that plays no part here: `Deployment`. */
  | { readonly kind: "other"; readonly name: string }
  /** No Kubernetes object at all; the issues' `object` is empty. */
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] };

interface KindEntry<K extends Kind> {
  /** Where one object is served in several versions, its fields are the same in all of them. */
  readonly apiVersions: readonly [string, ...string[]];
  readonly namespaced: boolean;
  readonly parse: (object: RawObject) => ObjectKinds[K];
}

const CILIUM = ["cilium.io/v2"] as const;
const CORE = ["v1"] as const;
const SLUICE = ["sluice.dev/v1alpha1"] as const;
/** Calico's own resource, and the one that its API server shows of it. */
const CALICO = ["crd.projectcalico.org/v1", "projectcalico.org/v3"] as const;
const NETWORKING = ["networking.k8s.io/v1", "networking.k8s.io/v1beta1"] as const;

const KINDS: { readonly [K in Kind]: KindEntry<K> } = {
  CiliumEgressGatewayPolicy: { apiVersions: CILIUM, namespaced: false, parse: parsePolicy },
  CiliumEndpoint: { apiVersions: CILIUM, namespaced: true, parse: parseCiliumEndpoint },
  CiliumIdentity: { apiVersions: CILIUM, namespaced: false, parse: parseCiliumIdentity },
  CiliumNode: { apiVersions: CILIUM, namespaced: false, parse: parseCiliumNode },
  IPPool: { apiVersions: CALICO, namespaced: false, parse: parseIPPool },
  Namespace: { apiVersions: CORE, namespaced: false, parse: parseNamespace },
  Node: { apiVersions: CORE, namespaced: false, parse: parseNode },
  NodeState: { apiVersions: SLUICE, namespaced: false, parse: parseNodeState },
  Pod: { apiVersions: CORE, namespaced: true, parse: parsePod },
  Service: { apiVersions: CORE, namespaced: true, parse: parseService },
  ServiceCIDR: { apiVersions: NETWORKING, namespaced: false, parse: parseServiceCidr },
};

const KIND_NAMES = Object.keys(KINDS) as readonly Kind[];

/**
 * Parses one raw value. Whatever it is, nothing is thrown. `inherited` is the type of values that
 * do not say theirs (the items of a PodList).
 */
export function parseObject(raw: unknown, inherited?: TypeMeta): Parsed {
  if (!isMapping(raw)) return invalid("", `must be an object, not ${show(raw)}`);
  const kind = textOf(raw, "kind") ?? inherited?.kind;
  const apiVersion = textOf(raw, "apiVersion") ?? inherited?.apiVersion;
  const list = listOf(raw, { kind: kind ?? "", apiVersion: apiVersion ?? "" });
  if (list !== undefined) return list;
  if (kind === undefined) return invalid("kind", "has no kind; write one like kind: Pod");
  if (apiVersion === undefined) {
    const example = isKind(kind) ? KINDS[kind].apiVersions[0] : "v1";
    const message = `a ${shorten(kind)} has no apiVersion; write one like apiVersion: ${example}`;
    return invalid("apiVersion", message);
  }
  if (!isKind(kind)) return otherKind({ kind, apiVersion });
  if (KINDS[kind].apiVersions.includes(apiVersion)) return parseKind(raw, kind);
  // Our kind's name in another group is another kind, and must not pass for ours.
  if (!isOurGroup(kind, apiVersion)) {
    return { kind: "other", name: `${kind} (${shorten(apiVersion)})` };
  }
  return refuseVersion(raw, kind, apiVersion);
}

function parseKind(raw: Readonly<Record<string, unknown>>, kind: Kind): Parsed {
  const object = readObject(Fields.of(raw), KINDS[kind].namespaced);
  return parsed(kind, object, KINDS[kind].parse(object));
}

/**
 * An object of our kind in a version that nobody reads here. A cluster serves one object in several
 * versions, so it is the same object: refused, and its last accepted version stays (rule 2.3).
 */
function refuseVersion(
  raw: Readonly<Record<string, unknown>>,
  kind: Kind,
  apiVersion: string,
): Parsed {
  const object = readObject(Fields.of(raw), KINDS[kind].namespaced);
  const message = `${show(apiVersion)} is not read; write ${KINDS[kind].apiVersions[0]}`;
  object.root.note("UnknownVersion", message, "apiVersion");
  return parsed(kind, object, undefined);
}

/** A kind that is none of ours; our groups have no other whose name is so near to one of ours. */
function otherKind({ kind, apiVersion }: TypeMeta): Parsed {
  const near = KIND_NAMES.filter((one) => isOurGroup(one, apiVersion));
  const meant = closest(kind, near);
  if (meant === undefined) return { kind: "other", name: kind };
  const message = `${apiVersion} has no kind ${show(kind)}, so nobody reads this; write ${meant}`;
  return { kind: "invalid", issues: [issue("UnknownKind", { object: "", path: "kind" }, message)] };
}

/** True if the kind is in this group, or in one that is written almost like it. */
function isOurGroup(kind: Kind, apiVersion: string): boolean {
  const groups = KINDS[kind].apiVersions.map(groupOf);
  const group = groupOf(apiVersion);
  return groups.includes(group) || closest(group, groups) !== undefined;
}

/** Of `cilium.io/v2` it is `cilium.io`; empty for the core group's `v1`. */
function groupOf(apiVersion: string): string {
  return apiVersion.slice(0, Math.max(apiVersion.indexOf("/"), 0));
}

function parsed(kind: Kind, object: RawObject, value: ObjectKinds[Kind] | undefined): Parsed {
  const issues = object.root.issues(objectName(kind, object));
  const refused = issues.some(({ severity }) => severity === "error");
  const change = { kind, key: object.key, value: refused ? undefined : value, refused, issues };
  // The table pairs each kind with its own parser, which the compiler cannot follow this far.
  return { kind: "object", change: change as ObjectChange, version: versionOf(object) };
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}

function objectName(kind: Kind, { namespace, name }: RawObject): string {
  return namespace === "" ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}

function versionOf({ metadata, createdAt, generation }: RawObject): Version {
  return { resourceVersion: metadata.number("resourceVersion"), generation, createdAt };
}

/** The value as a list of objects, or undefined if it is none. */
function listOf(raw: Readonly<Record<string, unknown>>, type: TypeMeta): Parsed | undefined {
  const items = raw["items"] ?? undefined;
  if (type.kind === "List" && items === undefined) return { kind: "list", ...NO_LIST_ITEMS };
  if (type.kind === "List" && !Array.isArray(items)) {
    return invalid("items", `the items of a List must be a list, not ${show(items)}`);
  }
  if (!Array.isArray(items) || !isListKind(type.kind)) return undefined;
  return { kind: "list", items, itemType: itemTypeOf(type) };
}

const NO_LIST_ITEMS = { items: [], itemType: undefined } as const;

/** True for `List`, `PodList` and so on, and for a list that does not say what it is (empty). */
export function isListKind(kind: string): boolean {
  return kind === "" || kind.endsWith("List");
}

/** What the items of a list are that do not say it themselves; undefined: they must. */
export function itemTypeOf(list: TypeMeta): TypeMeta | undefined {
  const kind = list.kind.slice(0, -"List".length);
  return kind === "" ? undefined : { apiVersion: list.apiVersion, kind };
}

/** The text in a field, or undefined when it is absent, empty or no text. */
export function textOf(raw: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = raw[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function invalid(path: string, message: string): Parsed {
  return { kind: "invalid", issues: [issue("NotAnObject", { object: "", path }, message)] };
}
