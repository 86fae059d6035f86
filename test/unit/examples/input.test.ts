import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inputLoad, parseLines } from '../../../examples/demo/input.ts'
import type { DemoMessage } from '../../../examples/demo/load.ts'

const NOW_MS = 1_700_000_000_000

async function parse(lines: readonly string[]): Promise<DemoMessage[]> {
  const messages: DemoMessage[] = []
  const asBytes = lines.map((line) => Buffer.from(line).toString('latin1'))
  for await (const message of parseLines(asBytes, () => NOW_MS)) messages.push(message)
  return messages
}

test('a JSON line gives key, value, headers and timestamp as UTF-8 bytes', async () => {
  const [message] = await parse([
    '{"key":"ä","value":"grüße","headers":{"b":"1","a":"2"},"timestamp":12}',
  ])
  expect(message).toEqual({
    key: Buffer.from('ä'),
    value: Buffer.from('grüße'),
    headers: [
      ['b', Buffer.from('1')],
      ['a', Buffer.from('2')],
    ],
    timestampMs: 12,
  })
})

test('null, empty and absent stay apart, and a value that is no text is sent as its JSON', async () => {
  const messages = await parse([
    '{"value":null}',
    '{"key":"","value":""}',
    '{"key":null,"value":{"total":9},"timestamp":"2024-05-01T10:00:00+02:00"}',
  ])
  expect(messages.map(({ key, value }) => [key, value])).toEqual([
    [null, null],
    [Buffer.alloc(0), Buffer.alloc(0)],
    [null, Buffer.from('{"total":9}')],
  ])
  expect(messages.map(({ timestampMs }) => timestampMs)).toEqual([
    NOW_MS,
    NOW_MS,
    Date.UTC(2024, 4, 1, 8),
  ])
})

test('plain lines are values, empty lines are passed over', async () => {
  const messages = await parse(['first', '', '  ', '{"no":"message"}'])
  expect(messages.map(({ value }) => String(value))).toEqual(['first', '{"no":"message"}'])
})

test.each([
  [['{"value":1}', '{"value":'], 'input line 2: is not JSON, as the first line was'],
  [['{"value":1}', '', '{"key":"a"}'], 'input line 3: value: '],
  [['{"value":1,"headers":{"h":1}}'], 'input line 1: headers.h: '],
  [['{"value":1,"timestamp":"soon"}'], 'input line 1: timestamp: '],
  [['{"value":1,"ky":"typo"}'], 'input line 1: the message: '],
  [['x'.repeat(16 * 1024 * 1024 + 1)], 'input line 1: has 16777217 bytes, 16777216 fit'],
  [['', ' '], 'the input has no messages'],
])('refuses lines, case %#, and names the line', async (lines, reason) => {
  await expect(parse(lines)).rejects.toMatchObject({
    code: 'SEAL_INPUT_INVALID',
    message: expect.stringContaining(reason),
  })
})

test('a file keeps the very bytes of its lines, also where they are not UTF-8', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'demo-input-'))
  try {
    const file = join(folder, 'lines')
    await writeFile(file, Buffer.from([0xff, 0xfe, 0x41, 0x0a, 0xc3, 0xa4, 0x0a]))
    const values: (Buffer | null)[] = []
    for await (const { value } of inputLoad(file).read()) values.push(value)
    expect(values).toEqual([Buffer.from([0xff, 0xfe, 0x41]), Buffer.from([0xc3, 0xa4])])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a file that is not there is refused by name', async () => {
  const read = async () => {
    for await (const _ of inputLoad('/no/such/file').read()) expect.unreachable()
  }
  await expect(read()).rejects.toMatchObject({
    code: 'SEAL_INPUT_INVALID',
    message: expect.stringContaining('/no/such/file'),
  })
})

test('a file that cannot be read is refused before anything starts', () => {
  const absent = join(tmpdir(), 'sealstream-absent', 'input')
  expect(() => inputLoad(absent)).toThrow(/^--input .*: ENOENT/)
  expect(() => inputLoad(tmpdir())).toThrow(/is a folder$/)
})
