// What a test does with etcd behind the API server's back, by its JSON gateway.

/** An object as the API server keeps it. */
export interface Stored {
  /** Below /registry: `pods/NAMESPACE/NAME`, `minions/NAME` for a Node. */
  readonly key: string;
  readonly object: object;
}

/** Of a transaction; etcd's own limit is 128. */
const OPERATIONS_MAX = 100;

/** Makes it forget all former revisions: whoever asks the API server for one gets 410. */
export async function compactEtcd(url: string): Promise<void> {
  const { header } = await ask(url, "range", { key: "AA==" });
  await ask(url, "compaction", { revision: header.revision, physical: true });
}

/**
 * Puts objects into it, as when a backup is restored: thousands in seconds. They must be whole,
 * with UID, times and status; the API server completes the rest.
 */
export async function restoreIntoEtcd(url: string, objects: readonly Stored[]): Promise<void> {
  for (let i = 0; i < objects.length; i += OPERATIONS_MAX) {
    const success = objects.slice(i, i + OPERATIONS_MAX).map(({ key, object }) => {
      const value = base64(JSON.stringify(object));
      return { requestPut: { key: base64(`/registry/${key}`), value } };
    });
    await ask(url, "txn", { success });
  }
}

async function ask(
  url: string,
  operation: string,
  body: object,
): Promise<{ header: { revision: string } }> {
  const options = { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(`${url}/v3/kv/${operation}`, options);
  if (!answer.ok) throw new Error(`etcd refuses ${operation}: ${await answer.text()}`);
  return (await answer.json()) as { header: { revision: string } };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
