import { timingSafeEqual } from 'node:crypto'
import { SealError } from '../errors.ts'
import { hmac } from './hmac.ts'
import type { SecretBytes } from './secret-bytes.ts'

const LABEL = Buffer.from('sealstream/v1/footer\0', 'latin1')

/** HMAC-SHA512/256 (FIPS 198-1, FIPS 180-4) over label, header and everything of the footer before it. */
export function footerTag(
  footerKey: SecretBytes,
  header: Uint8Array,
  covered: Uint8Array,
): Uint8Array {
  return footerKey.reveal((key) => hmac('sha512-256', key, LABEL, header, covered))
}

/** Throws SEAL_OPEN_FAILED unless `tag` is that of this header and this footer under this key. */
export function checkFooterTag(
  footerKey: SecretBytes,
  header: Uint8Array,
  footer: { readonly covered: Uint8Array; readonly tag: Uint8Array },
): void {
  if (timingSafeEqual(footerTag(footerKey, header, footer.covered), footer.tag)) return
  throw new SealError('SEAL_OPEN_FAILED', 'the footer does not authenticate: it was altered')
}
