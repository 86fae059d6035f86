import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listHead, listLines } from '../../../src/cli/list-lines.ts'
import type { ImpactPage } from '../../../src/incident/impact.ts'
import type { MappedMessage } from '../../../src/mapping/mapping-store.ts'
import { columnsOf } from '../../support/frame-columns.ts'

function page(messages: readonly MappedMessage[], kekId = 'arn:aws:kms:eu:1:key/a'): ImpactPage {
  return {
    dek: { dekId: 'd1', keyDomain: 'orders', kekId, kekVersion: null, createdAtMs: 0 },
    segment: {
      ...{ dekId: 'd1', segmentId: 's1', objectKey: 'p/segments/o%2C/s1.seal', createdAtMs: 0 },
      ...{ rowsDekId: 'd1', replaces: null, replaced: null, successors: [] },
      ...{ state: 'published', sealedAtMs: 1, sweptAtMs: null, messageCount: 1, bytes: 1 },
    },
    frames: columnsOf(messages),
  }
}

const message = { topic: 'orders', partition: 3, offset: 42, position: 64, length: 1100 }

const whole = fc.maxSafeNat()
const messages = fc.array(
  fc.record({
    topic: fc.constantFrom('orders', 'a.b-c_d'),
    partition: fc.nat(),
    offset: whole,
    position: whole,
    length: fc.nat({ max: 2 ** 32 - 1 }),
  }),
  { maxLength: 20 },
)

describe('the list as JSON lines', () => {
  test('has one object a message', () => {
    expect(listHead('ndjson')).toBe('')
    expect(listLines('ndjson', page([message])).toString()).toBe(
      '{"dekId":"d1","kekId":"arn:aws:kms:eu:1:key/a","kekVersion":null,"object":"p/segments/o%2C/s1.seal","state":"published","topic":"orders","partition":3,"offset":42,"position":64,"length":1100}\n',
    )
  })

  test('is what JSON.stringify would make of every message', () => {
    fc.assert(
      fc.property(messages, fc.string(), (found, kekId) => {
        const constants = {
          ...{ dekId: 'd1', kekId, kekVersion: null },
          ...{ object: 'p/segments/o%2C/s1.seal', state: 'published' },
        }
        const lines = listLines('ndjson', page(found, kekId)).toString().split('\n')
        expect(lines.pop()).toBe('')
        expect(lines.map((line) => JSON.parse(line))).toEqual(
          found.map((one) => ({ ...constants, ...one })),
        )
      }),
    )
  })
})

describe('the list as CSV', () => {
  test('has a line of names, and fields that end no line early', () => {
    expect(listHead('csv')).toBe(
      'dekId,kekId,kekVersion,object,state,topic,partition,offset,position,length\r\n',
    )
    expect(listLines('csv', page([message, { ...message, offset: 2 ** 53 - 1 }])).toString()).toBe(
      'd1,arn:aws:kms:eu:1:key/a,,p/segments/o%2C/s1.seal,published,orders,3,42,64,1100\r\n' +
        'd1,arn:aws:kms:eu:1:key/a,,p/segments/o%2C/s1.seal,published,orders,3,9007199254740991,64,1100\r\n',
    )
  })

  test('quotes commas, quotes and line ends', () => {
    const lines = listLines('csv', page([message], 'a"b,c\r\nd')).toString()
    expect(lines).toContain('d1,"a""b,c\r\nd",,')
  })
})
