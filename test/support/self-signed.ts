import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** What a TLS server on 127.0.0.1 needs; the certificate is its own authority. */
export interface SelfSigned {
  readonly certPem: string
  readonly keyPem: string
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const SUBJECT_ALT_NAME = '2.5.29.17'

/** What is not as it should be. */
export interface CertificateFaults {
  /** An IPv4 address instead of 127.0.0.1. */
  readonly address?: readonly [number, number, number, number]
  /** Whether its time was over in 2021. */
  readonly isExpired?: boolean
}

/** Makes a P-256 certificate for 127.0.0.1 (RFC 5280), valid through 2049, but for its faults. */
export function selfSigned({
  address = [127, 0, 0, 1],
  isExpired = false,
}: CertificateFaults = {}): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256))
  const name = sequence(der(0x31, sequence(objectId(COMMON_NAME), der(0x0c, text('test')))))
  const alternative = sequence(der(0x87, Buffer.from(address)))
  const extensions = sequence(sequence(objectId(SUBJECT_ALT_NAME), der(0x04, alternative)))
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(
      der(0x17, text('200101000000Z')),
      der(0x17, text(isExpired ? '210101000000Z' : '491231235959Z')),
    ),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', signed, privateKey)])
  const body = sequence(signed, algorithm, der(0x03, signature)).toString('base64')
  return {
    certPem: `-----BEGIN CERTIFICATE-----\n${body.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function text(value: string): Buffer {
  return Buffer.from(value, 'ascii')
}

/** One value in DER (X.690): tag, length, content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const { length } = body
  const head = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), body])
}

function sequence(...content: Buffer[]): Buffer {
  return der(0x30, ...content)
}

function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const arcs = rest.flatMap((arc) => {
    const bytes = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 0x7f) | 0x80)
    return bytes
  })
  return der(0x06, Buffer.from([first * 40 + second, ...arcs]))
}
