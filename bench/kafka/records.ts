/** What one record of a batch says; its timestamp is that of the batch. */
export interface RecordContent {
  readonly key: Uint8Array | null
  readonly value: Uint8Array
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[]
}

const NO_BYTES = -1

/** One record of a v2 batch, behind its length. */
export function encodeRecord(content: RecordContent, offsetDelta: number): Buffer {
  const { key, value, headers } = content
  const pieces: Uint8Array[] = [
    Buffer.from([0, ...varint(0), ...varint(offsetDelta)]),
    ...sized(key),
    ...sized(value),
    Buffer.from(varint(headers.length)),
    ...headers.flatMap(([name, text]) => [...sized(Buffer.from(name)), ...sized(text)]),
  ]
  const body = Buffer.concat(pieces)
  return Buffer.concat([Buffer.from(varint(body.length)), body])
}

function sized(bytes: Uint8Array | null): Uint8Array[] {
  return bytes === null
    ? [Buffer.from(varint(NO_BYTES))]
    : [Buffer.from(varint(bytes.length)), bytes]
}

function varint(n: number): number[] {
  const bytes: number[] = []
  let zigzag = n < 0 ? -2 * n - 1 : 2 * n
  for (; zigzag >= 0x80; zigzag = Math.floor(zigzag / 0x80)) bytes.push((zigzag & 0x7f) | 0x80)
  return [...bytes, zigzag]
}
