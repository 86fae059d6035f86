import { createHash } from 'node:crypto'
import {
  openEnvelope,
  type SignedPayload,
  signEnvelope,
  type UnverifiedEnvelope,
  verifyEnvelope,
} from '../crypto/dsse.ts'
import { fingerprintOf, publicKeyOf, type Signer } from '../crypto/signing-key.ts'
import { SealError } from '../errors.ts'

/** An in-toto statement, version 1: something is said of a subject. */
export interface Statement<T> {
  readonly _type: typeof STATEMENT_TYPE
  readonly subject: readonly {
    readonly name: string
    readonly digest: { readonly sha256: string }
  }[]
  readonly predicateType: string
  readonly predicate: T & SignedBy
}

/** Stands in what is signed, so that who knows the fingerprint alone can verify. */
export interface SignedBy {
  /** null where nobody signed. */
  readonly signedBy: { readonly publicKey: string; readonly fingerprint: string } | null
}

/** Which key must have signed: the key itself, or its fingerprint. */
export type TrustedKey = { readonly publicPem: string } | { readonly fingerprint: string }

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
const PAYLOAD_TYPE = 'application/vnd.in-toto+json'

/** A statement about `subject`, a text that names it whole; its digest is that of the text in UTF-8. */
export function statementOf<T>(
  subject: string,
  predicateType: string,
  predicate: T,
  signer: Pick<Signer, 'publicPem' | 'fingerprint'> | null,
): Statement<T> {
  const sha256 = createHash('sha256').update(subject, 'utf8').digest('hex')
  const signedBy =
    signer === null ? null : { publicKey: signer.publicPem, fingerprint: signer.fingerprint }
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: subject, digest: { sha256 } }],
    predicateType,
    predicate: { ...predicate, signedBy },
  }
}

/** The statement in a signed envelope, as one line of text. */
export function signStatement(statement: Statement<unknown>, signer: Signer): string {
  return signEnvelope(payloadOf(statement), signer)
}

/**
 * The statement in an envelope, once the trusted key is seen to have signed it. Needs nothing but
 * its arguments. Throws SEAL_STATEMENT_REFUSED, and SEAL_SIGNING_KEY_REFUSED for what is no key.
 */
export function verifyStatement(text: string, trusted: TrustedKey): Statement<unknown> {
  const envelope = openEnvelope(text)
  const statement = parse(envelope)
  const publicKey = publicKeyOf('publicPem' in trusted ? trusted.publicPem : claimedKey(statement))
  if ('fingerprint' in trusted && fingerprintOf(publicKey) !== trusted.fingerprint) {
    throw refused(`the key ${fingerprintOf(publicKey)} signed it, and not ${trusted.fingerprint}`)
  }
  verifyEnvelope(envelope, publicKey)
  return statement
}

function payloadOf(statement: Statement<unknown>): SignedPayload {
  return { payloadType: PAYLOAD_TYPE, payload: Buffer.from(JSON.stringify(statement), 'utf8') }
}

function parse({ payloadType, payload }: UnverifiedEnvelope): Statement<unknown> {
  if (payloadType !== PAYLOAD_TYPE) throw refused(`it is of the type ${payloadType.slice(0, 80)}`)
  try {
    const statement = JSON.parse(Buffer.from(payload).toString('utf8')) as Statement<unknown>
    if (statement?._type === STATEMENT_TYPE) return statement
  } catch {
    // It is no JSON: said below.
  }
  throw refused('what was signed is no statement')
}

/** The key that the statement says signed it: trusted only by a fingerprint from elsewhere. */
function claimedKey({ predicate }: Statement<unknown>): string {
  const key = (predicate as Partial<SignedBy> | undefined)?.signedBy?.publicKey
  if (typeof key === 'string') return key
  throw refused('it does not hold the key that signed it; give the public key')
}

function refused(message: string): SealError {
  return new SealError('SEAL_STATEMENT_REFUSED', message)
}
