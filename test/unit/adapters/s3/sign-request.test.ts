import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { NO_BODY, RequestSigner } from '../../../../src/adapters/s3/sign-request.ts'

// The examples "GET Object" and "PUT Object" of the S3 documentation (Signature Version 4, signing in a header).
const EXAMPLE = {
  method: 'GET',
  path: '/test.txt',
  query: '',
  headers: { host: 'examplebucket.s3.amazonaws.com', range: 'bytes=0-9' },
  bodyHash: NO_BODY,
} as const
const PUT_EXAMPLE = {
  method: 'PUT',
  path: '/test%24file.text',
  query: '',
  headers: {
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    host: 'examplebucket.s3.amazonaws.com',
    date: 'Fri, 24 May 2013 00:00:00 GMT',
  },
  bodyHash: hash('sha256', 'Welcome to Amazon S3.'),
} as const
const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const AT_MS = Date.UTC(2013, 4, 24)
const DAY_MS = 86_400_000

const signatureOf = (headers: Record<string, string>) =>
  /Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '')?.[1]

describe('a signed request', () => {
  it('has the signature of the example in the documentation', () => {
    const headers = new RequestSigner('us-east-1').headersOf(EXAMPLE, CREDENTIALS, AT_MS)
    expect(headers).toEqual({
      ...EXAMPLE.headers,
      'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-amz-date': '20130524T000000Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, ' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    })
  })

  it('has that of the example with a body, whatever the order of its headers', () => {
    const headers = new RequestSigner('us-east-1').headersOf(PUT_EXAMPLE, CREDENTIALS, AT_MS)
    expect(headers.authorization).toContain(
      'SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, ',
    )
    expect(signatureOf(headers)).toBe(
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    )
  })

  it('is signed anew on another day and for other credentials', () => {
    const signer = new RequestSigner('us-east-1')
    const sign = (secretAccessKey: string, atMs: number) =>
      signatureOf(signer.headersOf(EXAMPLE, { ...CREDENTIALS, secretAccessKey }, atMs))
    const first = sign('a', AT_MS)
    expect(sign('a', AT_MS + DAY_MS)).not.toBe(first)
    expect(sign('b', AT_MS)).not.toBe(first)
    expect(sign('a', AT_MS)).toBe(first)
  })

  it('signs the token of a session', () => {
    const credentials = { ...CREDENTIALS, sessionToken: 'token' }
    const headers = new RequestSigner('us-east-1').headersOf(EXAMPLE, credentials, AT_MS)
    expect(headers['x-amz-security-token']).toBe('token')
    expect(headers.authorization).toContain('x-amz-date;x-amz-security-token,')
  })
})
