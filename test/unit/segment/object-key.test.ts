import { describe, expect, it } from 'vitest'
import { parseReference } from '../../../src/format/reference-value.ts'
import { dekObjectKey, segmentObjectKey } from '../../../src/segment/object-key.ts'

const ID = '5ea15eed-0000-4000-8000-0000000000e1'
const NAMES = { prefix: 'a/b' }

describe('object keys', () => {
  it('sort segments by domain and by the hour in UTC', () => {
    const createdAtMs = Date.UTC(2026, 10, 3, 4, 59, 59, 999)
    expect(segmentObjectKey(NAMES, 'orders', ID, createdAtMs)).toBe(
      `a/b/segments/orders/2026/11/03/04/${ID}.seal`,
    )
  })

  it('keep a domain in one step, whatever it is called', () => {
    const object = segmentObjectKey(NAMES, 'a/../b ü', ID, 0)
    expect(object).toBe(`a/b/segments/a%2F..%2Fb%20%C3%BC/1970/01/01/00/${ID}.seal`)
    const rest = { topic: 't', partition: 0, offset: 0, position: 160, length: 56 }
    expect(parseReference({ object, ...rest }).object).toBe(object)
  })

  it('name one directory entry a DEK', () => {
    expect(dekObjectKey(NAMES, ID)).toBe(`a/b/deks/${ID}.json`)
  })
})
