import type { MessageHeader } from '../../src/format/message.ts'
import type { RawRecord } from './record-batch.ts'

const KIBIBYTE = 1024
const header = (name: string | Uint8Array, value: string | Uint8Array | null): MessageHeader => [
  Buffer.from(name),
  value === null ? null : Buffer.from(value),
]

/** A plain record; `over` replaces what a test is about. */
export function record(over: Partial<RawRecord> = {}): RawRecord {
  return {
    key: Buffer.from('key'),
    value: Buffer.from('value'),
    headers: [],
    timestampMs: 1_767_000_000_000n,
    ...over,
  }
}

/** Records with values of their own: `label` and a running number, filled up to `valueBytes`. */
export function numberedRecords(count: number, label: string, valueBytes = 0): RawRecord[] {
  return Array.from({ length: count }, (_, i) =>
    record({ value: Buffer.from(`${label} ${i} `.padEnd(valueBytes, 'x')) }),
  )
}

/** Bytes that repeat nowhere, so that a frame at the wrong place cannot look right. */
function pattern(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  for (let i = 0; i + 4 <= bytes; i += 4) buffer.writeUInt32BE(i, i)
  return buffer
}

/** Records as odd as Kafka takes them; some that no common client library can write. */
export const oddRecords: readonly RawRecord[] = [
  record({ value: Buffer.from('plain') }),
  record({ key: null }),
  record({ key: Buffer.alloc(0) }),
  record({ value: null }),
  record({ key: null, value: null }),
  record({ value: Buffer.alloc(0) }),
  record({ key: Buffer.from([0xff, 0xfe, 0x00]), value: Buffer.from([0xc3, 0x28, 0x0a, 0x0d]) }),
  record({ headers: [header('a', '1'), header('b', '2'), header('a', '3'), header('a', '1')] }),
  record({
    headers: [header('10', 'ten'), header('9', 'nine'), header('b', ''), header('1', 'x')],
  }),
  record({
    headers: [header('__proto__', 'p'), header('constructor', 'c'), header('toString', 't')],
  }),
  record({ headers: [header('empty', ''), header('null', null), header('', 'no name')] }),
  record({ headers: [header(Buffer.from([0xff, 0xfe]), Buffer.from([0xc3, 0x28]))] }),
  record({ headers: [header('\u0000\n', '\u0000'), header('naïve ☃', 'ünï')] }),
  record({ headers: Array.from({ length: 300 }, (_, i) => header(`h${i % 7}`, `value ${i}`)) }),
  record({ timestampMs: 0n }),
  record({ timestampMs: 253_402_300_799_999n }),
  record({ value: pattern(KIBIBYTE * KIBIBYTE) }),
  record({ key: pattern(64 * KIBIBYTE), value: null }),
]
