/**
 * What may happen to a DEK, in the order of a life. `compromised` may come at any time; `rewrapped`
 * more than once. Nothing is ever taken back: a mistake is mended by a later event.
 */
export const KEY_EVENT_KINDS = [
  'created',
  'wrapped',
  'first-use',
  'last-use',
  'retired',
  'rewrapped',
  'compromised',
  'shredded',
] as const

/** One of {@link KEY_EVENT_KINDS}. */
export type KeyEventKind = (typeof KEY_EVENT_KINDS)[number]

/** One thing that happened to a DEK. Never key bytes. */
export interface KeyEvent {
  readonly dekId: string
  readonly kind: KeyEventKind
  /** When it happened, by the wall clock of whoever did it. */
  readonly atMs: number
  /** Who did it: an instance or a person, e.g. `encryptor host-1/4711` or `alice@ops-7`. */
  readonly actor: string
  /** Why, in words: `window age`, `rotate-now: laptop lost`. */
  readonly reason: string
  /** The KEK that wraps the DEK from then on; of wrapped and rewrapped, else null. */
  readonly kekId: string | null
  readonly kekVersion: string | null
}

/** Where key events are kept for good. Append-only. Errors: SEAL_MAPPING_*. */
export interface KeyEventLog {
  /** Durable when it resolves. The same event again changes nothing. */
  append(events: readonly KeyEvent[]): Promise<void>
  /** The events of a DEK, oldest first. */
  eventsOf(dekId: string): AsyncIterable<KeyEvent>
}
