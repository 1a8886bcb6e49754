import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { describe, test } from "node:test";
import { OperationError } from "../../lib/operation-error.ts";
import { Access } from "./access.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "sluice-access-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

interface Parts {
  readonly name?: string;
  readonly server?: string;
  readonly cluster?: object;
  readonly user: object;
}

function write(path: string, { name = "one", server = "https://a.example", ...more }: Parts): void {
  const config = {
    clusters: [{ name, cluster: { server, ...more.cluster } }],
    users: [{ name, user: more.user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  };
  writeFileSync(path, JSON.stringify(config));
}

function open(path: string, context?: string): Access {
  return new Access({ kind: "kubeconfig", path, context });
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "none";
  } catch (error) {
    assert.ok(error instanceof OperationError);
    return error.code;
  }
}

describe("access to the Kubernetes API", () => {
  test("reads a token and certificates, inline or in files beside the kubeconfig", async (t) => {
    const directory = folder(t);
    writeFileSync(join(directory, "ca.crt"), "the CA");
    const path = join(directory, "config");
    const data = Buffer.from("the certificate").toString("base64");
    const user = { token: "secret", "client-certificate-data": data };
    write(path, { user, cluster: { "certificate-authority": "ca.crt", "tls-server-name": "k" } });
    const { server, tls, headers } = await open(path).credentials();
    assert.equal(server, "https://a.example");
    assert.deepEqual(tls, { ca: "the CA", cert: "the certificate", servername: "k" });
    assert.deepEqual(headers, { Authorization: "Bearer secret" });
  });

  test("merges several files, and takes the context that is asked for", async (t) => {
    const directory = folder(t);
    const [one, two] = [join(directory, "1"), join(directory, "2")] as const;
    write(one, { user: { token: "1" } });
    write(two, { name: "two", server: "https://b.example", user: { token: "2" } });
    assert.equal(open(`${one}:${two}`).server, "https://a.example");
    assert.equal(open(`${one}:${two}`, "two").server, "https://b.example");
    assert.equal(codeOf(() => open(one, "two")), "BadKubeconfig");
    assert.equal(codeOf(() => open(join(directory, "none"))), "BadKubeconfig");
    writeFileSync(one, "clusters: [");
    assert.equal(codeOf(() => open(one)), "BadKubeconfig");
  });

  test("asks a credential plug-in, and says why it refuses", async (t) => {
    const path = join(folder(t), "config");
    const credential = JSON.stringify({ status: { token: "fresh" } });
    const plugin = (script: string) => {
      const apiVersion = "client.authentication.k8s.io/v1";
      write(path, { user: { exec: { apiVersion, command: "sh", args: ["-c", script] } } });
      return open(path);
    };
    const { headers } = await plugin(`echo '${credential}'`).credentials();
    assert.deepEqual(headers, { Authorization: "Bearer fresh" });
    const refused = plugin("echo not today >&2; exit 1").credentials();
    await assert.rejects(refused, /no credentials: not today .*NoCredentials/);
  });

  test("takes renewed tokens and kubeconfigs when it is told that they were refused", async (t) => {
    const directory = folder(t);
    const path = join(directory, "config");
    const token = join(directory, "token");
    writeFileSync(token, "old\n");
    write(path, { user: { tokenFile: token } });
    const access = open(path);
    const authorization = async () => (await access.credentials()).headers["Authorization"];
    assert.equal(await authorization(), "Bearer old");
    writeFileSync(token, "new\n");
    access.forget();
    assert.equal(await authorization(), "Bearer new");
    writeFileSync(path, "half: [");
    access.forget();
    assert.equal(await authorization(), "Bearer new");
    write(path, { user: { token: "newest" } });
    access.forget();
    assert.equal(await authorization(), "Bearer newest");
  });

  test("logs in as a Pod's ServiceAccount", async (t) => {
    const directory = folder(t);
    writeFileSync(join(directory, "token"), "account");
    writeFileSync(join(directory, "ca.crt"), "the CA");
    const before = { ...process.env };
    t.after(() => void (process.env = before));
    delete process.env["KUBERNETES_SERVICE_HOST"];
    assert.equal(codeOf(() => new Access({ kind: "in-cluster", directory })), "NoKubeconfig");
    process.env["KUBERNETES_SERVICE_HOST"] = "fd00::1";
    process.env["KUBERNETES_SERVICE_PORT"] = "6443";
    const access = new Access({ kind: "in-cluster", directory });
    const { server, tls, headers } = await access.credentials();
    assert.equal(server, "https://[fd00::1]:6443");
    assert.deepEqual(tls, { ca: "the CA" });
    assert.deepEqual(headers, { Authorization: "Bearer account" });
  });
});
