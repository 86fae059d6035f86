import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import type { KeyClientOptions } from '@azure/keyvault-keys'
import { type JsonAnswer, type JsonRequest, JsonServer, Refusal } from './json-server.ts'

const GCM = 'aes-256-gcm'
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
/** Says which host a request was for before it was sent here. */
const HOST_HEADER = 'x-host-asked'
const LOGIN_HOST = 'login.microsoftonline.com'

/** The client that the fake directory knows. */
export const CLIENT = {
  tenantId: '00000000-0000-0000-0000-000000000001',
  clientId: '00000000-0000-0000-0000-000000000002',
  clientSecret: 'client-secret-canary',
}

type Material =
  | { readonly kind: 'RSA'; readonly privateKey: KeyObject; readonly publicKey: KeyObject }
  | { readonly kind: 'oct-HSM'; readonly bytes: Buffer }

interface Version {
  readonly id: string
  readonly material: Material
  isEnabled: boolean
  /** Expiry in seconds since 1970; the service wraps and unwraps after it all the same. */
  expiresAtS: number | null
}

/**
 * The parts of the documented HTTP APIs that are used here: tokens of Microsoft Entra for a client
 * with a secret; Key Vault's challenge, its keys, wrapkey and unwrapkey with RSA; Managed HSM's
 * encrypt and decrypt with AES. A disabled version wraps and does not unwrap, as in the service.
 */
export class FakeAzure {
  readonly server: JsonServer
  #address = ''
  readonly #keys = new Map<string, Version[]>()
  readonly #tokens = new Map<string, string>()

  constructor() {
    this.server = new JsonServer((request) => this.#handle(request))
  }

  async start(): Promise<void> {
    this.#address = await this.server.start()
  }

  /** Sends requests of the vendor's clients here, whatever host they are for. */
  policies(address?: string): NonNullable<KeyClientOptions['additionalPolicies']> {
    return [
      {
        position: 'perRetry',
        policy: {
          name: 'toTheFake',
          sendRequest: async (request, next) => {
            const asked = request.url
            const { host, pathname, search } = new URL(asked)
            request.headers.set(HOST_HEADER, host)
            request.url = `${address ?? this.#address}${pathname}${search}`
            request.allowInsecureConnection = true
            try {
              return await next(request)
            } finally {
              // The client compares the host that was asked with the challenge.
              request.url = asked
            }
          },
        },
      },
    ]
  }

  /** Makes a key with one version, and gives its name. */
  createKey(host: string, name: string): string {
    this.#keys.set(`${host}/${name}`, [newVersion(host)])
    return `https://${host}/keys/${name}`
  }

  /** Adds a version, which is the newest one from now on. */
  rotate(kekId: string): void {
    this.#versionsOf(kekId).push(newVersion(new URL(kekId).host))
  }

  /** Switches every version of a key off. */
  disable(kekId: string): void {
    for (const version of this.#versionsOf(kekId)) version.isEnabled = false
  }

  /** Lets every version of a key have expired. */
  expire(kekId: string): void {
    for (const version of this.#versionsOf(kekId)) version.expiresAtS = 1_700_000_001
  }

  #versionsOf(kekId: string): Version[] {
    const { host, pathname } = new URL(kekId)
    return this.#keys.get(`${host}/${pathname.split('/')[2]}`) ?? []
  }

  #handle(request: JsonRequest): JsonAnswer {
    const host = String(request.headers[HOST_HEADER])
    if (host === LOGIN_HOST) return this.#token(request)
    const audience = `https://${host.split('.').slice(1).join('.')}`
    this.#authorise(request, audience)
    const [, name = '', id = '', operation] =
      /^\/keys\/([^/]+)\/?([^/]*)(?:\/(\w+))?$/.exec(request.path) ?? []
    const versions = this.#keys.get(`${host}/${name}`) ?? []
    const version = id === '' ? versions.at(-1) : versions.find((one) => one.id === id)
    if (version === undefined) {
      throw refusal(404, 'KeyNotFound', `A key with (name/id) ${name}/${id} was not found`)
    }
    const kid = `https://${host}/keys/${name}/${version.id}`
    if (request.method === 'GET') return { status: 200, body: bundleOf(kid, version) }
    const result = operate(operation, version, request.body)
    return { status: 200, body: { kid, ...result } }
  }

  #token({ path, body }: JsonRequest): JsonAnswer {
    const isKnown =
      path === `/${CLIENT.tenantId}/oauth2/v2.0/token` &&
      body.client_id === CLIENT.clientId &&
      body.client_secret === CLIENT.clientSecret
    if (!isKnown) {
      const text = 'AADSTS7000215: Invalid client secret provided.'
      throw new Refusal(401, {
        error: 'invalid_client',
        error_description: text,
        error_codes: [7000215],
      })
    }
    const token = randomBytes(16).toString('hex')
    this.#tokens.set(token, body.scope ?? '')
    return {
      status: 200,
      body: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token },
    }
  }

  #authorise({ headers }: JsonRequest, audience: string): void {
    const token = headers.authorization?.replace(/^Bearer /, '') ?? ''
    if (this.#tokens.get(token)?.split(' ').includes(`${audience}/.default`)) return
    const message = 'AKV10000: Request is missing a Bearer or PoP token.'
    throw new Refusal(
      401,
      { error: { code: 'Unauthorized', message } },
      {
        'www-authenticate': `Bearer authorization="https://${LOGIN_HOST}/${CLIENT.tenantId}", resource="${audience}"`,
      },
    )
  }
}

function newVersion(host: string): Version {
  const material: Material = host.includes('.managedhsm.')
    ? { kind: 'oct-HSM', bytes: randomBytes(32) }
    : { kind: 'RSA', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) }
  return { id: randomBytes(16).toString('hex'), material, isEnabled: true, expiresAtS: null }
}

function bundleOf(kid: string, { material, isEnabled, expiresAtS }: Version): unknown {
  const isRsa = material.kind === 'RSA'
  const { n, e } = isRsa ? material.publicKey.export({ format: 'jwk' }) : {}
  const operations = isRsa ? ['wrapKey', 'unwrapKey'] : ['encrypt', 'decrypt']
  return {
    key: { kid, kty: material.kind, key_ops: operations, ...(isRsa ? { n, e } : {}) },
    attributes: {
      enabled: isEnabled,
      created: 1_700_000_000,
      updated: 1_700_000_000,
      ...(expiresAtS === null ? {} : { exp: expiresAtS }),
    },
  }
}

type Body = JsonRequest['body']

function operate(operation: string | undefined, version: Version, body: Body): object {
  const { material, isEnabled } = version
  const isOpening = operation === 'unwrapkey' || operation === 'decrypt'
  if (isOpening && !isEnabled) {
    const message = `Operation ${operation} is not allowed on a disabled key.`
    throw refusal(403, 'Forbidden', message, 'KeyDisabled')
  }
  const isRsa = operation === 'wrapkey' || operation === 'unwrapkey'
  const wanted = material.kind === 'RSA' ? 'RSA-OAEP-256' : 'A256GCM'
  if (body.alg !== wanted || isRsa !== (material.kind === 'RSA')) {
    throw refusal(400, 'BadParameter', 'Key and encryption algorithm are incompatible.')
  }
  const value = bytesOf(body, 'value')
  try {
    if (material.kind !== 'RSA') {
      return isOpening ? opened(material.bytes, value, body) : sealed(material.bytes, value, body)
    }
    const result = isOpening
      ? privateDecrypt({ key: material.privateKey, ...OAEP }, value)
      : publicEncrypt({ key: material.publicKey, ...OAEP }, value)
    return { value: result.toString('base64url') }
  } catch {
    throw refusal(400, 'BadParameter', 'The parameter is incorrect.')
  }
}

function sealed(key: Buffer, value: Buffer, body: Body): object {
  const iv = randomBytes(12)
  const cipher = createCipheriv(GCM, key, iv)
  cipher.setAAD(bytesOf(body, 'aad'))
  const result = Buffer.concat([cipher.update(value), cipher.final()])
  return {
    value: result.toString('base64url'),
    iv: iv.toString('base64url'),
    tag: cipher.getAuthTag().toString('base64url'),
  }
}

function opened(key: Buffer, value: Buffer, body: Body): object {
  const decipher = createDecipheriv(GCM, key, bytesOf(body, 'iv'))
  decipher.setAAD(bytesOf(body, 'aad'))
  decipher.setAuthTag(bytesOf(body, 'tag'))
  const result = Buffer.concat([decipher.update(value), decipher.final()])
  return { value: result.toString('base64url') }
}

const bytesOf = (body: Body, field: string) => Buffer.from(body[field] ?? '', 'base64url')

/** An error as a vault renders it. */
export function refusal(status: number, code: string, message: string, inner?: string): Refusal {
  const error = { code, message, ...(inner === undefined ? {} : { innererror: { code: inner } }) }
  return new Refusal(status, { error })
}
