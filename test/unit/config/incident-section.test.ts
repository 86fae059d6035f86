import { describe, expect, it } from 'vitest'
import { approverOf, webhookOf } from '../../../src/config/incident-section.ts'
import { NOTICES } from '../../../src/response/notices.ts'
import { parseTree, refusalOf } from './sample.ts'

const KEY = 'MCowBQYDK2VwAyEA0f3Yz1m0n1r2p3q4s5t6u7v8w9x0y1z2A3B4C5D6E7='
const withHook = (entry: string) => ({
  'incident.webhooks': [entry],
  'incident.webhookSecret': 's',
})
const drill = (changes: object = {}) => ({
  'kafka.topics': ['orders', 'canary'],
  'keyDomain.keks': ['canary=kek-a'],
  'kms.allowedKeyIds': ['kek-b'],
  drill: { topic: 'canary', keks: ['kek-a', 'kek-b'], ...changes },
})

describe('webhooks', () => {
  it('say which events they want, all of them where none is named', () => {
    expect(webhookOf('https://a.example/x')).toEqual({
      ...{ url: 'https://a.example/x', isForDrills: false, notices: new Set(NOTICES) },
    })
    expect(webhookOf('declared+prove+drills http://127.0.0.1:9/')).toEqual({
      ...{ url: 'http://127.0.0.1:9/', isForDrills: true },
      notices: new Set(['declared', 'prove']),
    })
  })

  it.each([
    ['http://hooks.example/', 'must be https, or http to this machine'],
    ['ftp://127.0.0.1/', 'must be https, or http to this machine'],
    ['https://user:pass@hooks.example/', 'must not hold credentials'],
    ['declared', 'must hold an address'],
    ['declard https://hooks.example/', 'must name events out of declared, contain'],
    ['declared prove https://hooks.example/', 'must be an address'],
  ])('%s is refused', (entry, reason) => {
    expect(refusalOf(() => parseTree(withHook(entry)))).toContain(reason)
  })

  it('need a secret', () => {
    const tree = { 'incident.webhooks': ['https://hooks.example/'] }
    expect(refusalOf(() => parseTree(tree))).toContain('incident.webhookSecret: is required')
    expect(refusalOf(() => parseTree(withHook('https://hooks.example/')))).toBe('')
  })
})

describe('approvers', () => {
  it('are names with their keys', () => {
    expect(approverOf(`bob=${KEY}`)).toEqual(['bob', KEY])
    for (const entry of ['bob', `=${KEY}`, 'bob=short']) {
      expect(refusalOf(() => parseTree({ 'incident.approvers': [entry] }))).toContain(
        'must be name=',
      )
    }
  })
})

describe('drills', () => {
  it('are accepted with a canary that has KEKs of its own', () => {
    expect(parseTree(drill()).config.drill).toMatchObject({ everyDays: 7, messages: 500 })
  })

  it.each([
    [{ drill: { topic: 'nobody', keks: ['kek-a', 'kek-b'] } }, 'must be one of kafka.topics'],
    [{ drill: { topic: 'canary', keks: ['kek-a'] } }, 'must have two entries at least'],
    [{ 'keyDomain.keks': [] }, 'keyDomain.keks: must give canary one of drill.keks'],
    [{ 'kms.allowedKeyIds': [] }, 'drill.keks.1: must be in kms.allowedKeyIds'],
    [{ 'kms.keyId': 'kek-b' }, 'drill.keks.1: protects more than the canary'],
    [
      { 'keyDomain.keks': ['canary=kek-a', 'orders=kek-b'] },
      'drill.keks.1: protects more than the canary',
    ],
  ])('%j is refused', (changes, reason) => {
    expect(refusalOf(() => parseTree({ ...drill(), ...changes }))).toContain(reason)
  })
})
