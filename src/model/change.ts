// The one shape in which facts travel: a key and its value now; `undefined` means gone.

export interface Change<K, V> {
  readonly key: K;
  readonly value: V | undefined;
}
