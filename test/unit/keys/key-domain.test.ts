import { describe, expect, it } from 'vitest'
import { SealError } from '../../../src/errors.ts'
import type { MessageHeader } from '../../../src/format/message.ts'
import { domainOfBy, domainRefusal } from '../../../src/keys/key-domain.ts'
import { message } from '../../support/messages.ts'

const header = (name: string, value: string | Uint8Array | null): MessageHeader => [
  Buffer.from(name),
  typeof value === 'string' ? Buffer.from(value) : value,
]
const byTenant = domainOfBy({ by: 'header', header: 'tenant', fallback: null })
const domainOf = (...headers: MessageHeader[]) => {
  const domain = byTenant(message({ headers }))
  return domain instanceof SealError ? `${domain.code}: ${domain.message}` : domain
}

describe('the key domain of a message', () => {
  it('is its topic, or the value of a header', () => {
    expect(domainOfBy({ by: 'topic' })(message({ topic: 'orders' }))).toBe('orders')
    expect(domainOf(header('other', 'x'), header('tenant', 'acme'))).toBe('acme')
    expect(domainOf(header('tenant', 'Jürgen & Söhne/Ost'))).toBe('Jürgen & Söhne/Ost')
  })

  it('is the fallback where the header is missing or null, when there is one', () => {
    const domain = domainOfBy({ by: 'header', header: 'tenant', fallback: 'shared' })
    expect(domain(message())).toBe('shared')
    expect(domain(message({ headers: [header('tenant', null)] }))).toBe('shared')
    expect(domain(message({ headers: [header('tenant', '')] }))).toBeInstanceOf(SealError)
  })

  it.each([
    ['missing', [], 'missing or null'],
    ['null', [header('tenant', null)], 'missing or null'],
    ['empty', [header('tenant', '')], 'must not be empty'],
    ['there twice', [header('tenant', 'a'), header('tenant', 'a')], 'is there 2 times'],
    ['not UTF-8', [header('tenant', Buffer.from([0xff]))], 'must be UTF-8'],
    ['too long', [header('tenant', 'x'.repeat(81))], 'at most 80 bytes'],
    ['with a control character', [header('tenant', 'a\u0000b')], 'control characters'],
    ['a step up', [header('tenant', '..')], 'must not be "." or ".."'],
  ])('makes a message unsealable when the header is %s', (_what, headers, reason) => {
    const refused = domainOf(...headers)
    expect(refused).toMatch(/^SEAL_MESSAGE_UNSEALABLE: no key domain: header "tenant"/)
    expect(refused).toContain(reason)
  })

  it('takes the longest name, and names no value in a refusal', () => {
    expect(domainRefusal(Buffer.alloc(80, 'x'))).toBeUndefined()
    expect(domainOf(header('tenant', `secret${'x'.repeat(80)}`))).not.toContain('secret')
  })
})
