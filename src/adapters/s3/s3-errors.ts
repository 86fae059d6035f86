import { messageOf, SealError } from '../../errors.ts'

/** Final answers of S3 and what they ask of the user. */
const REFUSALS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'create the bucket, or mend s3.bucket',
  InvalidAccessKeyId: 'mend s3.accessKeyId',
  XAdminUserNotFound: 'mend s3.accessKeyId',
  SignatureDoesNotMatch: 'mend s3.secretAccessKey',
  CredentialsProviderError: 'set s3.accessKeyId and s3.secretAccessKey, or AWS credentials',
  ExpiredToken: 'renew the credentials',
  InvalidBucketName: 'mend s3.bucket',
  PermanentRedirect: 'mend s3.region or s3.endpoint',
  AuthorizationHeaderMalformed: 'mend s3.region',
  EntityTooLarge: 'lower part.bytesMax',
  MetadataTooLarge: 'the wrapped data key is too long for object metadata',
  NoSuchUpload: 'the multipart upload has expired or was aborted by somebody else',
}

/** What reading and writing segments asks for. */
const ROAD_RIGHTS = 's3:GetObject and s3:PutObject'

/**
 * Answers with a 4xx status that pass by themselves: the body came too slowly, was cut off, or has
 * changed on the way. What is sent again is what its sender computed the checksum of.
 */
const PASSING: ReadonlySet<string> = new Set([
  'RequestTimeout',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentChecksumMismatch',
])
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 409, 429])

/** What a failure of the S3 client means to us. `where` names bucket and endpoint. */
export function s3Error(
  error: unknown,
  doing: string,
  where: string,
  rights = ROAD_RIGHTS,
): SealError {
  if (error instanceof SealError) return error
  const name = error instanceof Error ? error.name : ''
  const status = statusOf(error)
  if (name === 'NoSuchKey' || name === 'NotFound' || name === 'NoSuchVersion') {
    return new SealError('SEAL_OBJECT_MISSING', `no object: ${doing} in ${where}`, { cause: error })
  }
  const remedy = REFUSALS[name]
  if (remedy !== undefined || name === 'AccessDenied' || status === 401 || status === 403) {
    const reason = name === '' || name === 'Unknown' ? `status ${status}` : name
    return new SealError(
      'SEAL_STORE_REFUSED',
      `${where} refuses ${doing} (${reason}): ${remedy ?? `grant ${rights} on the bucket to these credentials`}`,
      // An instance that gives out credentials may be away for a moment.
      { retryable: name === 'CredentialsProviderError', cause: error },
    )
  }
  const isRefusal = status !== undefined && status >= 400 && status < 500
  if (isRefusal && !PASSING_STATUS.has(status) && !PASSING.has(name)) {
    const detail = `${name}: ${messageOf(error)}`
    return new SealError('SEAL_STORE_REFUSED', `${where} refuses ${doing} (${detail})`, {
      cause: error,
    })
  }
  return new SealError(
    'SEAL_STORE_UNAVAILABLE',
    `${where} does not answer (${doing}: ${reasonOf(error)})`,
    { retryable: true, cause: error },
  )
}

/** The HTTP status of an answer; undefined when none came. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const metadata = (error as { $metadata?: { httpStatusCode?: number } }).$metadata
  return metadata?.httpStatusCode
}

/** Connection failures hide their reason in a code; an AggregateError has no message at all. */
function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : messageOf(error)
}
