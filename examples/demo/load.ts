/** One message as the demo produces it. Bytes throughout, so that the comparison is exact. */
export interface DemoMessage {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** In the order in which Kafka gets them. */
  readonly headers: readonly (readonly [name: string, value: Buffer])[]
  /** Milliseconds since 1970. */
  readonly timestampMs: number
}

/** Real data that goes through the whole road: one Kafka topic of it. */
export interface Load {
  readonly topic: string
  /** Messages there are; null when nobody knows before the end (a pipe). */
  readonly messages: number | null
  /** All messages, from the first. The bytes are the receiver's to read, not to change. */
  read(): AsyncIterable<DemoMessage> | Iterable<DemoMessage>
}

/** Plaintext bytes of a message: key, value, header names and values. */
export function plaintextBytes({ key, value, headers }: DemoMessage): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, text] of headers) bytes += Buffer.byteLength(name) + text.length
  return bytes
}
