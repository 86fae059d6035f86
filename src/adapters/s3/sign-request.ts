import { hash } from 'node:crypto'
import { hmac } from '../../crypto/hmac.ts'

/** Whose requests they are, as the AWS SDK gives credentials. */
export interface SigningCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** A request as it goes over the wire, without its signature. */
export interface UnsignedRequest {
  readonly method: 'GET' | 'PUT'
  /** Encoded already. */
  readonly path: string
  /** `name=value`, encoded; empty for none. */
  readonly query: string
  /** What is to be signed, `host` among it; names in small letters, values without blanks at their ends. */
  readonly headers: Readonly<Record<string, string>>
  /** SHA-256 of the body in hex, or what stands for it. */
  readonly bodyHash: string
}

/** The hash of a request without a body. */
export const NO_BODY = hash('sha256', '')
/** In place of the hash of a body that only its checksum vouches for. */
export const UNSIGNED_BODY = 'UNSIGNED-PAYLOAD'

/**
 * Signs requests for S3 objects by AWS Signature Version 4: the same headers that the SDK would send, for a
 * small part of its work. The key of a day is derived once.
 */
export class RequestSigner {
  readonly #region: string
  #day: { readonly scope: string; readonly secret: string; readonly key: Uint8Array } | null = null

  constructor(region: string) {
    this.#region = region
  }

  /** The headers to send, signature included. */
  headersOf(
    { method, path, query, headers: given, bodyHash }: UnsignedRequest,
    { accessKeyId, secretAccessKey, sessionToken }: SigningCredentials,
    nowMs: number,
  ): Record<string, string> {
    const time = new Date(nowMs).toISOString().replace(/\.\d{3}|[-:]/g, '')
    const headers: Record<string, string> = {
      ...{ ...given, 'x-amz-content-sha256': bodyHash, 'x-amz-date': time },
      ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
    }
    const names = Object.keys(headers).sort()
    const lines = names.map((name) => `${name}:${headers[name]}\n`).join('')
    const signed = names.join(';')
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${signed}\n${bodyHash}`
    const digest = hash('sha256', canonical)
    const scope = `${time.slice(0, 8)}/${this.#region}/s3/aws4_request`
    const key = this.#keyOf(scope, secretAccessKey)
    const signature = hmacOf(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`)
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${Buffer.from(signature).toString('hex')}`
    return headers
  }

  #keyOf(scope: string, secret: string): Uint8Array {
    if (this.#day?.scope !== scope || this.#day.secret !== secret) {
      const key = scope.split('/').reduce(hmacOf, Buffer.from(`AWS4${secret}`) as Uint8Array)
      this.#day = { scope, secret, key }
    }
    return this.#day.key
  }
}

function hmacOf(key: Uint8Array, text: string): Uint8Array {
  return hmac('sha256', key, Buffer.from(text))
}
