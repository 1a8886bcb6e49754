// The test cluster's etcd, asked behind the API server's back, by its HTTP gateway.

/** An object as the API server keeps it. */
export interface Stored {
  /** Below /registry: `pods/NAMESPACE/NAME`, `minions/NAME` for a Node. */
  readonly key: string;
  readonly object: object;
}

/** Of a transaction; etcd's own limit is 128. */
const OPERATIONS_MAX = 100;

export class Etcd {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Forgets all former revisions. */
  async compact(): Promise<void> {
    const { header } = await this.#ask("range", { key: "AA==" });
    await this.#ask("compaction", { revision: header.revision, physical: true });
  }

  async put(objects: readonly Stored[]): Promise<void> {
    for (let i = 0; i < objects.length; i += OPERATIONS_MAX) {
      const success = objects.slice(i, i + OPERATIONS_MAX).map(({ key, object }) => {
        const value = base64(JSON.stringify(object));
        return { requestPut: { key: base64(`/registry/${key}`), value } };
      });
      await this.#ask("txn", { success });
    }
  }

  async #ask(operation: string, body: object): Promise<{ header: { revision: string } }> {
    const url = `http://127.0.0.1:${this.#port}/v3/kv/${operation}`;
    const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd refuses ${operation}: ${await answer.text()}`);
    return (await answer.json()) as { header: { revision: string } };
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
