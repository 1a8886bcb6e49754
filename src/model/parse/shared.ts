// Texts that many objects have in common are held once: 100,000 Pods have a few namespaces and node
// names between them.

const TEXTS_MAX = 8192;
const texts = new Map<string, string>();

/** The same text, of which usually only one copy is held. Bounded: it forgets when it is full. */
export function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= TEXTS_MAX) texts.clear();
  texts.set(text, text);
  return text;
}
