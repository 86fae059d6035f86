import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import {
  openEnvelope,
  preAuthEncoding,
  signEnvelope,
  verifyEnvelope,
} from '../../../src/crypto/dsse.ts'
import {
  fingerprintOf,
  newSigningKey,
  publicKeyOf,
  signerOf,
} from '../../../src/crypto/signing-key.ts'

interface Vectors {
  readonly privateKeyDer: string
  readonly publicKeyDer: string
  readonly keyid: string
  readonly cases: readonly {
    readonly name: string
    readonly payloadType: string
    readonly payload: string
    readonly pae: string
    readonly signature: string
  }[]
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../vectors/dsse-v1.json', import.meta.url), 'utf8'),
)
const der = (text: string) => Buffer.from(text, 'base64')
const privateKey = createPrivateKey({
  key: der(vectors.privateKeyDer),
  ...{ format: 'der', type: 'pkcs8' },
})
const signer = signerOf(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
const publicKey = publicKeyOf(signer.publicPem)
const text = signEnvelope({ payloadType: 'text/plain', payload: Buffer.from('paid') }, signer)

describe('an envelope', () => {
  test.each(vectors.cases)('is as in the vector: $name', (vector) => {
    const signed = { payloadType: vector.payloadType, payload: der(vector.payload) }
    expect(preAuthEncoding(signed).toString('hex')).toBe(vector.pae)
    const envelope = openEnvelope(signEnvelope(signed, signer))
    expect(envelope.keyId).toBe(vectors.keyid)
    expect(Buffer.from(envelope.signature).toString('base64')).toBe(vector.signature)
    verifyEnvelope(envelope, publicKey)
    expect(publicKey.equals(createPublicKey(privateKey))).toBe(true)
  })

  it('is refused with any one byte altered, in what is signed and outside of it', () => {
    for (let at = 0; at < text.length; at++) {
      const bytes = Buffer.from(text)
      bytes[at] = (bytes[at] as number) ^ 1
      expect(() => verifyEnvelope(openEnvelope(bytes.toString('utf8')), publicKey)).toThrow(
        expect.objectContaining({ code: 'SEAL_STATEMENT_REFUSED' }),
      )
    }
  })

  it.each([
    ['a byte more', `${text} `],
    ['a byte less', text.slice(0, -1)],
    ['nothing', ''],
    ['no object', 'null\n'],
    ['a signature more', text.replace(/\[(.+)\]/, '[$1,$1]')],
    ['no signature', text.replace(/\[.+\]/, '[]')],
  ])('is refused as %s', (_, altered) => {
    expect(() => openEnvelope(altered)).toThrow(
      expect.objectContaining({ code: 'SEAL_STATEMENT_REFUSED' }),
    )
  })

  it('is refused when another key signed it, whatever key it names', () => {
    const other = signerOf(newSigningKey().privatePem)
    const otherKey = publicKeyOf(other.publicPem)
    const refused = expect.objectContaining({ code: 'SEAL_STATEMENT_REFUSED' })
    expect(() => verifyEnvelope(openEnvelope(text), otherKey)).toThrow(refused)
    const renamed = text.replace(signer.fingerprint, other.fingerprint)
    expect(() => verifyEnvelope(openEnvelope(renamed), otherKey)).toThrow(refused)
  })
})

describe('a signing key', () => {
  it('is new each time and names itself by its fingerprint', () => {
    const [a, b] = [signerOf(newSigningKey().privatePem), signerOf(newSigningKey().privatePem)]
    expect(a.fingerprint).not.toBe(b.fingerprint)
    expect(fingerprintOf(publicKeyOf(a.publicPem))).toBe(a.fingerprint)
  })

  it.each([
    ['no PEM', 'secret text'],
    ['a private key in place of a public one', newSigningKey().privatePem],
  ])('is refused as %s, and is not quoted', (_, pem) => {
    const attempt = () => publicKeyOf(pem)
    expect(attempt).toThrow(expect.objectContaining({ code: 'SEAL_SIGNING_KEY_REFUSED' }))
    expect(attempt).not.toThrow(/secret text/)
  })
})
