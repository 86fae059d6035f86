import { beforeEach, describe, expect, it } from 'vitest'
import {
  type KekOrder,
  kekInForce,
  keksInForce,
  type NewKekOrder,
} from '../../../src/keys/kek-orders.ts'
import { kekOrdersContract, newKekOrder } from '../../contracts/kek-orders.contract.ts'
import { MemoryKekOrders } from '../../support/memory-kek-orders.ts'

const ARN = 'arn:aws:kms:eu-west-1:111122223333:key/'
const configured = { keyId: 'config', byDomain: new Map([['tenant', 'own']]) }

let log: MemoryKekOrders
beforeEach(() => {
  log = new MemoryKekOrders()
})

describe('KEK orders in memory', () => kekOrdersContract(() => log))

describe('the KEK in force', () => {
  const ordered = (...orders: Partial<NewKekOrder>[]): KekOrder[] =>
    orders.map((order, i) => ({ ...newKekOrder(order), sequence: i + 1 }))
  const inForce = (orders: readonly KekOrder[], domain: string | null) =>
    kekInForce(configured, orders, domain).kekId

  it.each<[string, Partial<NewKekOrder>[], string, string, string]>([
    ['without orders is the configured one', [], 'config', 'own', 'config'],
    ['is that of an order for all', [{ toKekId: 'a' }], 'a', 'a', 'a'],
    [
      'is that of an order for the domain',
      [{ keyDomain: 'tenant', toKekId: 'a' }],
      'config',
      'a',
      'config',
    ],
    ['is that of the newest order', [{ toKekId: 'a' }, { toKekId: 'b' }], 'b', 'b', 'b'],
    [
      'is that of the newest, whichever of them is for all',
      [{ keyDomain: 'tenant', toKekId: 'a' }, { toKekId: 'b' }],
      ...(['b', 'b', 'b'] as const),
    ],
    [
      'is another for domains that had the KEK that is replaced',
      [{ fromKekId: 'own', toKekId: 'a' }],
      ...(['config', 'a', 'config'] as const),
    ],
    [
      'follows one replacement after the other',
      [
        { fromKekId: 'config', toKekId: 'a' },
        { fromKekId: 'a', toKekId: 'b' },
      ],
      ...(['b', 'own', 'b'] as const),
    ],
    [
      'is the configured one again after a withdrawal',
      [{ toKekId: 'a' }, { keyDomain: 'tenant', toKekId: null }],
      ...(['a', 'own', 'a'] as const),
    ],
  ])('%s', (_what, orders, topic, tenant, unnamed) => {
    const all = ordered(...orders)
    expect([inForce(all, 'topic'), inForce(all, 'tenant'), inForce(all, null)]).toEqual([
      topic,
      tenant,
      unnamed,
    ])
  })

  it.each([
    ['own', `${ARN}own`],
    [`${ARN}own`, 'own'],
  ])('is replaced whether %s or %s stands in the configuration', (inConfig, from) => {
    const byDomain = new Map([['tenant', inConfig]])
    const orders = ordered({ fromKekId: from, toKekId: 'a' })
    expect(kekInForce({ keyId: 'config', byDomain }, orders, 'tenant').kekId).toBe('a')
  })

  it('is told for every domain that somebody names, with the order that says so', () => {
    const orders = ordered({ toKekId: 'a' }, { keyDomain: 'topic', toKekId: null })
    expect(keksInForce(configured, orders)).toEqual(
      new Map([
        [null, { kekId: 'a', order: orders[0] }],
        ['tenant', { kekId: 'a', order: orders[0] }],
        ['topic', { kekId: 'config', order: null }],
      ]),
    )
  })
})
