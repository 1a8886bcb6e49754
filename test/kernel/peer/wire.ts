// What peers say to each other in flows, and what a test says to a peer. A record is one line or
// one datagram: what it is, its flow's name, its number, and bytes that follow from the number, so
// that a byte that is lost, doubled or changed is seen.

export interface Record {
  readonly kind: "ask" | "answer";
  readonly name: string;
  readonly number: number;
  /** Characters of filling, at least. */
  readonly size: number;
}

export interface FlowSpec {
  /** Without blanks; both ends know the flow by it. */
  readonly name: string;
  readonly protocol: "TCP" | "UDP";
  readonly server: string;
  readonly port: number;
  /** Undefined: the kernel chooses. */
  readonly localAddress?: string;
  readonly localPort?: number;
}

export interface FlowReport {
  readonly name: string;
  readonly sent: number;
  readonly answered: number;
  /** Why it can go on no more. */
  readonly broken: string | null;
}

/** `sockets` times `count` flows of one datagram. */
export interface Flood {
  readonly server: string;
  readonly sockets: number;
  readonly ports: { readonly first: number; readonly count: number };
}

/** `names` undefined: all. */
export type Command =
  | { readonly do: "listen"; readonly addresses: readonly string[]; readonly port: number }
  | { readonly do: "open"; readonly flows: readonly FlowSpec[] }
  | { readonly do: "ask"; readonly names: readonly string[] | undefined; readonly size: number }
  | { readonly do: "talk"; readonly names: readonly string[]; readonly intervalMs: number }
  | { readonly do: "hush" }
  | { readonly do: "heard"; readonly names: readonly string[] }
  | {
      readonly do: "end";
      readonly names: readonly string[] | undefined;
      readonly how: "close" | "reset";
    }
  | { readonly do: "flood"; readonly flood: Flood };

/** The text of a record, with its line's end. */
export function renderRecord({ kind, name, number, size }: Record): string {
  return `${kind} ${name} ${number} ${size} ${fillingOf(number, size)}\n`;
}

/** Undefined: it is none, or its bytes are not those of its number. */
export function parseRecord(text: string): Record | undefined {
  const line = text.endsWith("\n") ? text.slice(0, -1) : text;
  const [kind, name = "", number, size, filling] = line.split(" ");
  if (kind !== "ask" && kind !== "answer") return undefined;
  const record: Record = { kind, name, number: Number(number), size: Number(size) };
  return filling === fillingOf(record.number, record.size) ? record : undefined;
}

function fillingOf(number: number, size: number): string {
  let text = "";
  for (let i = 0, word = number + 1; i < 4 || text.length < size; i++) {
    word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d) + i;
    text += (word >>> 0).toString(36);
  }
  return text;
}
