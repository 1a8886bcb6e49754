// What the kernel of a node has, as text, to be compared with what it had: links, addresses, rules,
// routes, qdiscs, filters, settings, nftables.

/** Part by part. */
export type KernelText = Readonly<Record<string, string>>;

/** Asks in the namespace where `shell` runs; numbers of objects and counts are left out. */
export function readKernelText(shell: (script: string) => string): KernelText {
  const parts = shell(SCRIPT).split(/^== /m).slice(1);
  const texts = parts.map((part): [string, string] => {
    const [title = "", ...lines] = part.split("\n");
    return [title, title === "nft" ? canonicalRuleset(lines.join("\n")) : plain(lines)];
  });
  return Object.fromEntries(texts);
}

/** Lines that one of two states of a kernel has and the other has not, with their part. */
export function differences(before: KernelText, after: KernelText): string[] {
  const parts = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...parts].flatMap((part) => {
    const [old = "", now = ""] = [before[part], after[part]];
    if (before[part] === after[part]) return [];
    const [a, b] = [old.split("\n"), now.split("\n")];
    const lines = [
      ...a.filter((line) => !b.includes(line)).map((line) => `${part}: - ${line}`),
      ...b.filter((line) => !a.includes(line)).map((line) => `${part}: + ${line}`),
    ];
    return lines.length > 0 ? lines : [`${part}: there, gone, or in another order`];
  });
}

/** Settings of this network namespace that change by themselves. */
const VOLATILE = "nf_conntrack_count|tcp_mem|udp_mem|random|neigh\\..*\\.(retrans_time|base_reach)";

const SCRIPT = `
echo '== link'; ip -d -o link; echo '== address'; ip -o address
echo '== rule'; ip rule; ip -6 rule
echo '== route'; ip -d route show table all; ip -d -6 route show table all
echo '== qdisc'; tc qdisc show
echo '== filter'
for device in $(ls /proc/sys/net/ipv4/conf); do
  for hook in ingress egress; do
    echo "$device $hook"; tc filter show dev $device $hook 2>&1 | sort
  done
done
echo '== sysctl'; sysctl -a 2>/dev/null | grep '^net[.]' | grep -vE '${VOLATILE}'
echo '== nft'; nft -j list ruleset
`;

/** Programs that are loaded again, and a tunnel that is made again, have other numbers. */
function plain(lines: readonly string[]): string {
  const texts = lines.map((line) =>
    line
      .replace(/^\d+: (sluice0: .* link.ether) \S+/, "$1")
      .replace(/:\[\d+\] | id \d+ name |_timer +[0-9.]+/g, " "),
  );
  return texts.join("\n");
}

type NftObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Without handles and counts; the order of rules within a chain is what matters. */
function canonicalRuleset(json: string): string {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly NftObject[] };
  const rules = new Map<string, string[]>();
  const others: string[] = [];
  for (const object of nftables) {
    const text = JSON.stringify(object, (key, value: unknown) => {
      if (key === "handle" || key === "packets" || key === "bytes") return undefined;
      if (key !== "elem" || !Array.isArray(value)) return value;
      return value.map((one) => JSON.stringify(one)).sort();
    });
    const { rule } = object;
    if (rule === undefined) others.push(text);
    else {
      const chain = `${String(rule["family"])} ${String(rule["table"])} ${String(rule["chain"])}`;
      rules.set(chain, [...(rules.get(chain) ?? []), text]);
    }
  }
  const chains = [...rules].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, texts]) => texts);
  return [...others.sort(), ...chains].join("\n");
}
