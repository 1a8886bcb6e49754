// What the Kubernetes API is asked about: a kind of object in one version, and where it is served.

/** One kind in one version. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** As in URLs: `pods`. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface ObjectName {
  readonly name: string;
  /** Of namespaced kinds only. */
  readonly namespace?: string;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf({ group, version }: Resource): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The URL's path that tells which kinds a version of a group has. */
export function versionPath({ group, version }: Resource): string {
  return group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
}

/** The URL's path of all objects of a kind; of one namespace, where that is given. */
export function collectionPath(resource: Resource, namespace = ""): string {
  const { plural, namespaced } = resource;
  const within = namespaced && namespace !== "" ? `/namespaces/${encode(namespace)}` : "";
  return `${versionPath(resource)}${within}/${plural}`;
}

/** The URL's path of one object, or of a part of it (`status`). */
export function objectPath(
  resource: Resource,
  { name, namespace = "" }: ObjectName,
  subresource = "",
): string {
  const path = `${collectionPath(resource, namespace)}/${encode(name)}`;
  return subresource === "" ? path : `${path}/${subresource}`;
}

/** As errors name an object: `pods/shop/cart-0`. */
export function targetOf(resource: Resource, { name, namespace = "" }: ObjectName): string {
  return [resource.plural, namespace, name].filter((part) => part !== "").join("/");
}

function encode(text: string): string {
  return encodeURIComponent(text);
}
