import { type KeyObject, sign, verify } from 'node:crypto'
import { SealError } from '../errors.ts'
import { fingerprintOf, type Signer } from './signing-key.ts'

/**
 * Dead Simple Signing Envelope, version 1 (github.com/secure-systems-lab/dsse): one JSON object with
 * the payload, its type and a signature over both.
 */

/** What was signed. */
export interface SignedPayload {
  readonly payloadType: string
  readonly payload: Uint8Array
}

/** Envelopes are small; one that is not is none of ours. */
export const ENVELOPE_BYTES_MAX = 64 * 1024 * 1024

/** `DSSEv1`, and length and bytes of type and payload, a space between each: what the signature covers. */
export function preAuthEncoding({ payloadType, payload }: SignedPayload): Buffer {
  const type = Buffer.from(payloadType, 'utf8')
  const head = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type])
  return Buffer.concat([head, Buffer.from(` ${payload.length} `), payload])
}

/** The envelope as text: one line, in the one form that {@link openEnvelope} takes. */
export function signEnvelope(signed: SignedPayload, { privateKey, fingerprint }: Signer): string {
  const signature = sign(null, preAuthEncoding(signed), privateKey)
  return render(signed, fingerprint, signature)
}

/** An envelope that was not looked at closely: neither its signature nor who signed it is known. */
export interface UnverifiedEnvelope extends SignedPayload {
  /** Fingerprint of the key that is said to have signed. */
  readonly keyId: string
  readonly signature: Uint8Array
}

/**
 * Takes an envelope apart. Only the one text that {@link signEnvelope} would give for it passes, so
 * that no byte of the file can be another, inside of what is signed or outside. Throws
 * SEAL_STATEMENT_REFUSED.
 */
export function openEnvelope(text: string): UnverifiedEnvelope {
  const { payloadType, payload, signatures } = fieldsOf(text)
  const [only, ...others] = Array.isArray(signatures) ? (signatures as unknown[]) : []
  const { keyid, sig } = (only ?? {}) as Record<string, unknown>
  const isEnvelope =
    typeof payloadType === 'string' &&
    typeof payload === 'string' &&
    typeof keyid === 'string' &&
    typeof sig === 'string' &&
    others.length === 0
  if (!isEnvelope) throw refused('it is no signed statement')
  const signed = { payloadType, payload: Buffer.from(payload, 'base64') }
  const signature = Buffer.from(sig, 'base64')
  if (render(signed, keyid, signature) !== text) {
    throw refused('it is not in the form in which statements are written: it was altered')
  }
  return { ...signed, keyId: keyid, signature }
}

/** Sees that this key signed it. Throws SEAL_STATEMENT_REFUSED. */
export function verifyEnvelope(envelope: UnverifiedEnvelope, publicKey: KeyObject): void {
  const fingerprint = fingerprintOf(publicKey)
  if (envelope.keyId !== fingerprint) {
    throw refused(`it names the key ${envelope.keyId.slice(0, 80)}, and not ${fingerprint}`)
  }
  if (!verify(null, preAuthEncoding(envelope), publicKey, envelope.signature)) {
    throw refused('its signature does not hold: it was altered, or another key signed it')
  }
}

function render(signed: SignedPayload, keyid: string, signature: Uint8Array): string {
  const { payloadType } = signed
  const payload = base64(signed.payload)
  const signatures = [{ keyid, sig: base64(signature) }]
  return `${JSON.stringify({ payloadType, payload, signatures })}\n`
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // It is no JSON: said below.
  }
  throw refused('it is no signed statement')
}

function refused(message: string): SealError {
  return new SealError('SEAL_STATEMENT_REFUSED', message)
}
