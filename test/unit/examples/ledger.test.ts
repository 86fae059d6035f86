import { describe, expect, test } from 'vitest'
import { isFaultless, Ledger } from '../../../examples/demo/ledger.ts'
import type { DemoMessage } from '../../../examples/demo/load.ts'
import { faultOf } from '../../../examples/demo/read-back.ts'
import type { Message } from '../../../src/index.ts'

const produced: DemoMessage = {
  key: Buffer.from('key'),
  value: Buffer.from('value'),
  headers: [
    ['a', Buffer.from('1')],
    ['b', Buffer.from('2')],
  ],
  timestampMs: 1_700_000_000_000,
}

function returned(offset: number, changes: Partial<Message> = {}): Message {
  return {
    topic: 'mails',
    partition: 1,
    offset,
    key: Buffer.from('key'),
    value: Buffer.from('value'),
    headers: [
      [Buffer.from('a'), Buffer.from('1')],
      [Buffer.from('b'), Buffer.from('2')],
    ],
    timestampMs: 1_700_000_000_000n,
    timestampType: 'create',
    ...changes,
  }
}

function ledgerOf(messages: number): Ledger {
  const ledger = new Ledger()
  for (let offset = 0; offset < messages; offset += 1) ledger.record('mails', 1, offset, produced)
  return ledger
}

test('messages that come back once and unchanged are faultless, in any order and number', () => {
  const ledger = ledgerOf(3_000)
  for (let offset = 2_999; offset >= 0; offset -= 1) {
    expect(ledger.isComplete).toBe(false)
    ledger.check(returned(offset))
  }
  expect(ledger.isComplete).toBe(true)
  expect(isFaultless(ledger.verdict())).toBe(true)
})

describe('a message is not what was produced when', () => {
  const header = (name: string, value: string | null) =>
    [Buffer.from(name), value === null ? null : Buffer.from(value)] as const
  test.each<[string, Partial<Message>]>([
    ['one byte of the value differs', { value: Buffer.from('valuf') }],
    ['one byte of the key differs', { key: Buffer.from('kez') }],
    [
      'a byte moved from the key to the value',
      { key: Buffer.from('ke'), value: Buffer.from('yvalue') },
    ],
    ['the key is empty', { key: Buffer.alloc(0) }],
    ['the key is null', { key: null }],
    ['the value is null', { value: null }],
    ['the timestamp differs', { timestampMs: 1_700_000_000_001n }],
    ['a header has another value', { headers: [header('a', '1'), header('b', '3')] }],
    ['a header is missing', { headers: [header('a', '1')] }],
    ['the headers stand in another order', { headers: [header('b', '2'), header('a', '1')] }],
    ['a header became null', { headers: [header('a', '1'), header('b', null)] }],
    ['it is in another partition', { partition: 2 }],
    ['it is in another topic', { topic: 'flights' }],
    ['it is at another offset', { offset: 7 }],
  ])('%s', (_, changes) => {
    const ledger = ledgerOf(1)
    ledger.check(returned(0, changes))
    const verdict = ledger.verdict()
    expect(verdict.unequal).toHaveLength(1)
    expect(isFaultless(verdict)).toBe(false)
  })
})

test('a missing message is found and named', () => {
  const ledger = ledgerOf(3)
  ledger.check(returned(0))
  ledger.check(returned(2))
  const verdict = ledger.verdict()
  expect(ledger.isComplete).toBe(false)
  expect(isFaultless(verdict)).toBe(false)
  expect(faultOf(verdict)).toBe('2 of 3 messages came back; not read back: mails/1@1')
})

test('a doubled message is found and named', () => {
  const ledger = ledgerOf(2)
  for (const offset of [0, 1, 1]) ledger.check(returned(offset))
  const verdict = ledger.verdict()
  expect(isFaultless(verdict)).toBe(false)
  expect(faultOf(verdict)).toBe('2 of 2 messages came back; read back more than once: mails/1@1')
})

test('a long list of faults is cut, the count is not', () => {
  const verdict = ledgerOf(5_000).verdict()
  expect(verdict.missing).toHaveLength(10)
  expect(verdict).toMatchObject({ expected: 5_000, seen: 0 })
})
