import { isUtf8 } from 'node:buffer'
import { KEY_DOMAIN_BYTES_MAX } from '../limits.ts'

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
