// A container of the agent's DaemonSet as a kubelet and containerd would make it, for runc: the
// manifest's capabilities, mounts and security context on an image's files, in the network
// namespace of a node. Only hostPaths are redirected: a node of a lab has directories of its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { ROOT } from "../support/run-cli.ts";

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly runAsUser: number;
    readonly runAsGroup: number;
    readonly capabilities: { readonly drop: readonly string[]; readonly add: readonly string[] };
  };
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
}

interface PodSpec {
  readonly hostNetwork: boolean;
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string; readonly hostPath: { path: string } }[];
}

/** The pod of the agents' DaemonSet. */
export function agentPod(): PodSpec {
  const text = readFileSync(join(ROOT, "deploy/manifests/50-agent.yaml"), "utf8");
  return (load(text) as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

/** ENTRYPOINT and ENV of the image. */
function imageConfig(): { readonly entrypoint: readonly string[]; readonly env: string[] } {
  const text = readFileSync(join(ROOT, "deploy/image/Dockerfile"), "utf8").replaceAll("\\\n", "");
  const entrypoint = /^ENTRYPOINT (.*)$/m.exec(text)?.[1] ?? "[]";
  // The last one: those before belong to the stage that builds.
  const env = [...text.matchAll(/^ENV (.*)$/gm)].at(-1)?.[1] ?? "";
  return { entrypoint: JSON.parse(entrypoint) as string[], env: env.split(" ") };
}

export interface ContainerOptions {
  readonly rootfs: string;
  readonly netns: string;
  readonly node: string;
  /** hostPath of the manifest -> the directory in its place. */
  readonly hostPaths: Readonly<Record<string, string>>;
  /** In place of the manifest's. */
  readonly args: readonly string[];
  /** Mounted read-only at the same place: what the lab gives its agents. */
  readonly source: string;
  /** Leaves this capability away. */
  readonly without?: string;
}

const MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/sys",
    type: "sysfs",
    source: "sysfs",
    options: ["nosuid", "noexec", "nodev", "ro"],
  },
] as const;

/** The runtime's configuration, as of the OCI runtime specification. */
export function ociConfig(options: ContainerOptions): object {
  const pod = agentPod();
  const [{ env, securityContext, volumeMounts }] = pod.containers;
  const { capabilities } = securityContext;
  const added = capabilities.add.filter((one) => one !== options.without);
  const caps = added.map((name) => `CAP_${name}`);
  const paths = new Map(pod.volumes.map(({ name, hostPath }) => [name, hostPath.path]));
  const { entrypoint, env: imageEnv } = imageConfig();
  const volumes = volumeMounts.map(({ name, mountPath, readOnly = false }) => {
    const hostPath = paths.get(name) ?? "";
    const source = options.hostPaths[hostPath] ?? hostPath;
    return bind({ destination: mountPath, source, readOnly });
  });
  const given = bind({ destination: options.source, source: options.source, readOnly: true });
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid: securityContext.runAsUser, gid: securityContext.runAsGroup },
      args: [...entrypoint, ...options.args],
      env: [...imageEnv, `NODE_NAME=${options.node}`, ...fixedValues(env)],
      cwd: "/",
      capabilities: { bounding: caps, effective: caps, permitted: caps },
      noNewPrivileges: !securityContext.allowPrivilegeEscalation,
    },
    root: { path: options.rootfs, readonly: securityContext.readOnlyRootFilesystem },
    mounts: [...MOUNTS, ...volumes, given],
    linux: {
      namespaces: [
        { type: "mount" },
        { type: "pid" },
        { type: "ipc" },
        { type: "network", path: options.netns },
      ],
      maskedPaths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

function bind(mount: { destination: string; source: string; readOnly: boolean }) {
  const { destination, source, readOnly } = mount;
  return { destination, source, type: "bind", options: ["rbind", readOnly ? "ro" : "rw"] };
}

function fixedValues(env: Container["env"]): string[] {
  return env.flatMap(({ name, value }) => (value === undefined ? [] : [`${name}=${value}`]));
}
