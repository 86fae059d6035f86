/**
 * Records for one partition, in the form in which Kafka takes them (Kafka protocol, "Record Batch"
 * v2, the records alone): `length varint | attributes i8 | timestampDelta varlong | offsetDelta
 * varint | key | value | headers`, lengths as zigzag varints. All have no key and no headers, the
 * time of their batch, and offset deltas from 0 on: a run is all the records of one batch. Whoever
 * has the values encodes them, so that whoever publishes them does nothing a record.
 */
export interface RecordRun {
  readonly count: number
  readonly bytes: Uint8Array
}

/** What a run holds at most, unless one value alone is longer: well under the broker's 1 MiB. */
export const RECORD_RUN_BYTES_MAX = 512 * 1024

/** No attributes, and the time of the batch. */
const PLAIN = '\0\0'
/** The zigzag varint of -1. */
const NULL_KEY = '\x01'
const NO_HEADERS = '\0'
const FIXED_BYTES = PLAIN.length + NULL_KEY.length + NO_HEADERS.length
const FRAMING_BYTES_MAX = FIXED_BYTES + 3 * 5

/** Encodes values to runs, in their order. */
export class RecordRunWriter {
  readonly #full: RecordRun[] = []
  #texts: string[] = []
  #bytes = 0

  /** Adds a record. `value` has a character a byte: ASCII, or decoded as latin1. */
  add(value: string): void {
    if (this.#bytes + value.length + FRAMING_BYTES_MAX > RECORD_RUN_BYTES_MAX) this.#cut()
    const delta = varint(this.#texts.length)
    const length = varint(value.length)
    const bodyBytes = FIXED_BYTES + delta.length + length.length + value.length
    const size = varint(bodyBytes)
    this.#texts.push(`${size}${PLAIN}${delta}${NULL_KEY}${length}${value}${NO_HEADERS}`)
    this.#bytes += size.length + bodyBytes
  }

  /** The runs, each in memory of its own. The writer is empty afterwards. */
  take(): RecordRun[] {
    this.#cut()
    return this.#full.splice(0)
  }

  #cut(): void {
    if (this.#texts.length === 0) return
    const bytes = Buffer.allocUnsafeSlow(this.#bytes)
    // One write for all: a call a record would cost more than its bytes.
    bytes.write(this.#texts.join(''), 'latin1')
    this.#full.push({ count: this.#texts.length, bytes })
    this.#texts = []
    this.#bytes = 0
  }
}

/** The values of a run, as {@link RecordRunWriter.add} takes them. */
export function* runValues({ bytes }: RecordRun): Generator<string> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const cursor = { at: 0 }
  while (cursor.at < text.length) {
    skipVarint(text, cursor)
    cursor.at += PLAIN.length
    skipVarint(text, cursor)
    cursor.at += NULL_KEY.length
    const end = readLength(text, cursor) + cursor.at
    yield text.toString('latin1', cursor.at, end)
    cursor.at = end + NO_HEADERS.length
  }
}

/** The zigzag varints of small numbers, which come again and again. */
const VARINTS = Array.from({ length: 4096 }, (_, i) => encodeVarint(i))

function varint(length: number): string {
  return VARINTS[length] ?? encodeVarint(length)
}

function encodeVarint(length: number): string {
  let text = ''
  let rest = length * 2
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    text += String.fromCharCode((rest & 0x7f) | 0x80)
  }
  return text + String.fromCharCode(rest)
}

function skipVarint(bytes: Buffer, cursor: { at: number }): void {
  while ((bytes[cursor.at++] as number) >= 0x80);
}

function readLength(bytes: Buffer, cursor: { at: number }): number {
  let raw = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[cursor.at++] as number
    raw |= (byte & 0x7f) << shift
    if (byte < 0x80) return raw >>> 1
  }
}
