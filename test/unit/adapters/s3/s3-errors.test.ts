import { describe, expect, it } from 'vitest'
import { s3Error } from '../../../../src/adapters/s3/s3-errors.ts'

function answered(name: string, httpStatusCode: number): Error {
  return Object.assign(new Error('by the test'), { name, $metadata: { httpStatusCode } })
}

describe('an answer of S3', () => {
  it.each([
    ['RequestTimeout', 400],
    ['IncompleteBody', 400],
    ['BadDigest', 400],
    ['XAmzContentChecksumMismatch', 400],
    ['OperationAborted', 409],
    ['TooManyRequests', 429],
    ['SlowDown', 503],
    ['InternalError', 500],
  ])('that passes by itself (%s, %i) is waited for', (name, status) => {
    const error = s3Error(answered(name, status), 'PUT a', 'bucket b')
    expect(error).toMatchObject({ code: 'SEAL_STORE_UNAVAILABLE', retryable: true })
  })

  it.each([
    ['InvalidRequest', 400],
    ['AccessDenied', 403],
    ['NoSuchUpload', 404],
    ['SignatureDoesNotMatch', 403],
  ])('that a person must mend (%s, %i) is not', (name, status) => {
    const error = s3Error(answered(name, status), 'PUT a', 'bucket b')
    expect(error).toMatchObject({ code: 'SEAL_STORE_REFUSED', retryable: false })
  })
})
