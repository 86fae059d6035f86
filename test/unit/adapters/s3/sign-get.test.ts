import { describe, expect, it } from 'vitest'
import { GetSigner } from '../../../../src/adapters/s3/sign-get.ts'

// The example "GET Object" of the S3 documentation (Signature Version 4, signing in a header).
const EXAMPLE = {
  path: '/test.txt',
  query: '',
  host: 'examplebucket.s3.amazonaws.com',
  range: 'bytes=0-9',
}
const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const AT_MS = Date.UTC(2013, 4, 24)
const DAY_MS = 86_400_000

const signatureOf = (headers: Record<string, string>) =>
  /Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '')?.[1]

describe('a signed GET', () => {
  it('has the signature of the example in the documentation', () => {
    const headers = new GetSigner('us-east-1').headersOf(EXAMPLE, CREDENTIALS, AT_MS)
    expect(headers).toEqual({
      host: EXAMPLE.host,
      range: EXAMPLE.range,
      'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-amz-date': '20130524T000000Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, ' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    })
  })

  it('is signed anew on another day and for other credentials', () => {
    const signer = new GetSigner('us-east-1')
    const sign = (secretAccessKey: string, atMs: number) =>
      signatureOf(signer.headersOf(EXAMPLE, { ...CREDENTIALS, secretAccessKey }, atMs))
    const first = sign('a', AT_MS)
    expect(sign('a', AT_MS + DAY_MS)).not.toBe(first)
    expect(sign('b', AT_MS)).not.toBe(first)
    expect(sign('a', AT_MS)).toBe(first)
  })

  it('signs the token of a session', () => {
    const credentials = { ...CREDENTIALS, sessionToken: 'token' }
    const headers = new GetSigner('us-east-1').headersOf(EXAMPLE, credentials, AT_MS)
    expect(headers['x-amz-security-token']).toBe('token')
    expect(headers.authorization).toContain('x-amz-date;x-amz-security-token,')
  })
})
