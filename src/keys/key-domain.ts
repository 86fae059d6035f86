import { isUtf8 } from 'node:buffer'
import { SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { KEY_DOMAIN_BYTES_MAX } from '../limits.ts'

/** What makes messages share DEKs. */
export type DomainRule =
  | { readonly by: 'topic' }
  | {
      readonly by: 'header'
      readonly header: string
      /** The domain of messages without the header; null refuses them. */
      readonly fallback: string | null
    }

/** Gives the key domain of a message, or the error that makes the message unsealable. */
export type DomainOf = (message: Message) => string | SealError

const CONTROL_CHARACTER = /\p{Cc}/u

/**
 * Why `name` cannot be a key domain, or undefined. A domain becomes a step of object keys, object
 * metadata and a KMS context.
 */
export function domainRefusal(name: Uint8Array): string | undefined {
  if (name.length === 0) return 'must not be empty'
  if (name.length > KEY_DOMAIN_BYTES_MAX) return `must have at most ${KEY_DOMAIN_BYTES_MAX} bytes`
  if (!isUtf8(name)) return 'must be UTF-8'
  const text = Buffer.from(name).toString('utf8')
  if (CONTROL_CHARACTER.test(text)) return 'must not hold control characters'
  return text === '.' || text === '..' ? 'must not be "." or ".."' : undefined
}

/** The rule as a function. A header that is there twice is refused: readers could disagree. */
export function domainOfBy(rule: DomainRule): DomainOf {
  if (rule.by === 'topic') return ({ topic }) => topic
  const name = Buffer.from(rule.header)
  const { header, fallback } = rule
  return ({ headers }) => {
    const found = headers.filter(([given]) => name.equals(given))
    const value = found[0]?.[1] ?? null
    if (found.length > 1) return unsealable(`header "${header}" is there ${found.length} times`)
    if (value === null) return fallback ?? unsealable(`header "${header}" is missing or null`)
    const refusal = domainRefusal(value)
    if (refusal !== undefined) return unsealable(`header "${header}" ${refusal}`)
    return Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8')
  }
}

function unsealable(reason: string): SealError {
  return new SealError('SEAL_MESSAGE_UNSEALABLE', `no key domain: ${reason}`)
}
