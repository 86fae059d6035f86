import fc from 'fast-check'
import type { Message, MessageContent, MessageHeader } from '../../src/format/message.ts'

/** A plain message; `over` replaces what a test is about. */
export function message(over: Partial<Message> = {}): Message {
  return {
    topic: 'orders',
    partition: 0,
    offset: 0,
    key: Buffer.from('key'),
    value: Buffer.from('value'),
    headers: [],
    timestampMs: 1_767_000_000_000n,
    timestampType: 'create',
    ...over,
  }
}

/** `count` messages of one partition with increasing offsets and values of their own. */
export function messages(count: number, over: Partial<Message> = {}): Message[] {
  return Array.from({ length: count }, (_, i) =>
    message({ offset: 100 + i, value: Buffer.from(`value ${i}`), ...over }),
  )
}

/** The content in a form in which equal means equal bytes, whatever view they lie in. */
export function comparable(content: MessageContent) {
  const hex = (bytes: Uint8Array | null) =>
    bytes === null ? null : Buffer.from(bytes).toString('hex')
  return {
    key: hex(content.key),
    value: hex(content.value),
    headers: content.headers.map(([name, value]) => [hex(name), hex(value)]),
    timestampMs: content.timestampMs,
    timestampType: content.timestampType,
  }
}

const bytes = fc.uint8Array({ maxLength: 64 })
const nullable = fc.option(bytes, { nil: null })

/** Names that trip code which keeps headers in an object or takes them for text. */
const trickyNames = ['', '__proto__', 'constructor', 'toString', 'naïve', '\u0000'].map((name) =>
  Buffer.from(name),
)
const headerName = fc.oneof(
  bytes,
  fc.constantFrom(...trickyNames, Buffer.from([0xff, 0xfe]), Buffer.from([0xc3, 0x28])),
)

/** One header, with an odd name as often as not. */
export const anyHeader: fc.Arbitrary<MessageHeader> = fc.tuple(headerName, nullable)

const headers = fc.oneof(
  { weight: 8, arbitrary: fc.array(anyHeader, { maxLength: 8 }) },
  { weight: 2, arbitrary: anyHeader.map((header) => [header, header, header]) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyHeader, fc.integer({ min: 0, max: 1000 }))
      .map(([header, count]) => new Array<MessageHeader>(count).fill(header)),
  },
)

const timestampMs = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-1n, 0n, -(2n ** 63n), 2n ** 63n - 1n, 1_767_000_000_000n),
)

/** Message contents as odd as Kafka lets them be. */
export const anyContent: fc.Arbitrary<MessageContent> = fc.record({
  key: nullable,
  value: nullable,
  headers,
  timestampMs,
  timestampType: fc.constantFrom('create' as const, 'append' as const),
})

/** Offsets over the whole range that a frame holds, its ends more often than chance gives. */
export const anyOffset: fc.Arbitrary<number> = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER),
)

/** Names that Kafka takes for topics. */
export const anyTopic: fc.Arbitrary<string> = fc.stringMatching(
  /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,80}$/,
)

/** Coordinates and content. */
export const anyMessage: fc.Arbitrary<Message> = fc
  .tuple(
    anyContent,
    fc.record({ topic: anyTopic, partition: fc.nat(0x7fff_ffff), offset: anyOffset }),
  )
  .map(([content, coordinates]) => ({ ...content, ...coordinates }))
