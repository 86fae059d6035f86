import { beforeEach, describe, expect, it } from 'vitest'
import type { Content } from '../../../examples/demo/ledger.ts'
import { Ledger } from '../../faults/chaos/ledger.ts'
import { message } from '../../support/messages.ts'

const content = (text: string): Content => ({
  ...{ key: null, value: Buffer.from(text), headers: [], timestampMs: 7n },
})
const back = (offset: number, text: string) =>
  message({ topic: 'orders', partition: 1, offset, ...content(text) })

let ledger: Ledger

beforeEach(() => {
  ledger = new Ledger()
  ledger.acked('orders', 1, 10, [content('a'), content('b')])
})

describe('the ledger of a chaos run', () => {
  it('finds nothing when each message comes back once', () => {
    ledger.unknown([content('landed'), content('got lost')])
    for (const one of [back(10, 'a'), back(11, 'b'), back(12, 'landed')]) ledger.check(one)
    const nothing = { missing: [], doubled: [], unequal: [], aborted: [] }
    expect(ledger.verdict()).toEqual({ checked: 3, ...nothing })
    expect(ledger.totals).toEqual({ acked: 2, unknown: 1, aborted: 0 })
  })

  it('misses an acknowledged message', () => {
    ledger.check(back(11, 'b'))
    expect(ledger.verdict().missing).toEqual(['orders/1@10'])
  })

  it('notices a second reference to a message', () => {
    for (const one of [back(10, 'a'), back(11, 'b'), back(11, 'b')]) ledger.check(one)
    expect(ledger.verdict().doubled).toEqual(['orders/1@11'])
  })

  it.each([
    ['another value', back(10, 'b')],
    ['another time', { ...back(10, 'a'), timestampMs: 8n }],
    ['null for empty', { ...back(10, 'a'), key: Buffer.alloc(0) }],
  ])('notices %s', (_, altered) => {
    for (const one of [altered, back(11, 'b')]) ledger.check(one)
    expect(ledger.verdict().unequal).toEqual(['orders/1@10'])
  })

  it('takes a message without an answer once, and none that was never produced', () => {
    ledger.unknown([content('landed')])
    for (const one of [back(12, 'landed'), back(13, 'landed'), back(14, 'foreign')]) {
      ledger.check(one)
    }
    expect(ledger.verdict().unequal).toEqual(['orders/1@13', 'orders/1@14'])
  })

  it('knows the messages of an aborted transaction', () => {
    ledger.aborted([content('taken back')])
    ledger.check(back(12, 'taken back'))
    expect(ledger.verdict().aborted).toEqual(['orders/1@12'])
  })
})
