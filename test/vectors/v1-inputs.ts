import type { VectorInput, VectorMessage } from './vector-files.ts'

interface NamedInput {
  readonly name: string
  readonly about: string
  readonly input: VectorInput
}

const hex = (text: string) => Buffer.from(text).toString('hex')
/** `count` bytes that rise from `first`: easy to find again in a dump. */
const rising = (first: number, count: number) =>
  Buffer.from(Array.from({ length: count }, (_, i) => (first + i) % 256)).toString('hex')

const MESSAGE: VectorMessage = {
  ...{ topic: 'orders', partition: 0, offset: 0, seq: 0 },
  ...{ key: hex('key'), value: hex('value'), headers: [] },
  ...{ timestampMs: '1767323045678', timestampType: 'create' },
}

const INPUT: VectorInput = {
  ...{ prefix: 'sealed', keyDomain: 'orders', clusterId: 'cluster-a' },
  ...{ segmentId: '00112233-4455-4677-8899-aabbccddeeff', generation: 1 },
  dekId: 'd0d1d2d3-d4d5-46d7-98d9-dadbdcdddedf',
  ...{ dek: rising(0x00, 32), salt: rising(0x80, 32) },
  createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  kekId: 'arn:aws:kms:us-east-1:000000000000:key/5ea15eed-0000-4000-8000-00000000000a',
  ...{ wrapped: rising(0x40, 48), token: '70c31000-0000-4000-8000-000000000001' },
  messages: [MESSAGE],
}

/** Three messages of two sources; the first two frames are equally long. */
export const BASE: NamedInput = {
  name: 'two-sources',
  about: 'three messages of two partitions; all negative vectors but a few come from this one',
  input: {
    ...INPUT,
    messages: [
      { ...MESSAGE, offset: 41, value: hex('first') },
      { ...MESSAGE, offset: 42, seq: 1, value: hex('other') },
      { ...MESSAGE, partition: 7, offset: 5, seq: 2, value: hex('third one') },
    ],
  },
}

function named(
  name: string,
  about: string,
  messages: readonly Partial<VectorMessage>[],
  over: Partial<VectorInput> = {},
): NamedInput {
  const filled = messages.map((message, seq) => ({ ...MESSAGE, offset: seq, seq, ...message }))
  return { name, about, input: { ...INPUT, ...over, messages: filled } }
}

/** What the positive vectors of v1 are made of. Their files are frozen: add, never change. */
export const POSITIVE_INPUTS: readonly NamedInput[] = [
  named('one-message', 'the smallest useful segment', [{}]),
  BASE,
  named(
    'null-empty-present',
    'null, empty and present keys and values are nine different messages',
    [...[null, '', '00'].flatMap((key) => [null, '', '00'].map((value) => ({ key, value })))],
  ),
  named('headers', 'order, duplicates, null and empty values, names that are no text or no key', [
    {
      headers: [
        [hex('b'), hex('1')],
        [hex('a'), hex('2')],
        [hex('b'), hex('1')],
        [hex('a'), null],
        [hex('a'), ''],
      ],
    },
    {
      headers: [
        [hex('__proto__'), hex('x')],
        [hex('constructor'), null],
        ['', hex('no name')],
        ['fffe', 'c328'],
        ['00', '00'],
        [hex('10'), hex('9')],
        [hex('9'), hex('10')],
      ],
    },
  ]),
  named('timestamps', 'the ends of i64, below zero, and append time', [
    { timestampMs: '-9223372036854775808' },
    { timestampMs: '9223372036854775807', timestampType: 'append' },
    { timestampMs: '-1' },
    { timestampMs: '0', timestampType: 'append' },
  ]),
  named('offsets', 'offsets and partitions at their ends; gaps in the offsets of a source', [
    { offset: 0 },
    { offset: 2 ** 31 },
    { offset: 2 ** 32 },
    { offset: 2 ** 53 - 1 },
    { offset: 2 ** 53 - 1, partition: 2 ** 31 - 1 },
  ]),
  named('seq-gaps', 'seqs that leave numbers out, up to the last', [
    { seq: 3 },
    { seq: 4 },
    { seq: 255 },
    { seq: 2 ** 32 - 1 },
  ]),
  named('interleaved', 'sources by turns: offset steps count within a source', [
    { offset: 900 },
    { offset: 7, topic: 'payments' },
    { offset: 1_000 },
    { offset: 8, topic: 'payments' },
    { offset: 0, topic: 'payments', partition: 1 },
    { offset: 1_200 },
  ]),
  named(
    'texts',
    'domain, cluster, KEK and topic with what has to be encoded; a later generation',
    [{ topic: 'A.b_c-9', value: hex('naïve') }],
    {
      ...{
        prefix: 'a/b',
        keyDomain: 'Zahlung/"ü"\t\u0001',
        clusterId: 'clüster %/~',
        generation: 7,
      },
      ...{ kekId: 'alias keys/€ (1)*', createdAtMs: 0 },
    },
  ),
  named('long-lengths', 'a frame whose length takes two and three bytes in the index', [
    { value: rising(0, 100) },
    { value: '5a'.repeat(17_000) },
  ]),
  named(
    'late',
    'the last generation, in the last minute of the year 9999',
    [{ value: null, key: null }],
    {
      ...{ generation: 2 ** 32 - 1, createdAtMs: Date.UTC(9999, 11, 31, 23, 59, 59, 999) },
      wrapped: 'ff',
    },
  ),
]
