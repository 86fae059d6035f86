import type { FaultRule, HttpAnswer, HttpFault, HttpRequest } from './http-fault-proxy.ts'
import type { SeededRandom } from './seeded-random.ts'

/** An error as S3 words it; with status 200 it comes in the body of an answer that began well. */
export function s3Refusal(status: number, code: string): HttpAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>by the test</Message></Error>`
  return { status, body, contentType: 'application/xml' }
}

/** An error as KMS words it. */
export function kmsRefusal(status: number, type: string): HttpAnswer {
  const body = JSON.stringify({ __type: type, message: 'by the test' })
  return { status, body, contentType: 'application/x-amz-json-1.1' }
}

/** The operations of S3 that write a segment, by what marks their requests. */
export const s3Operations = {
  put: ({ method, url }: HttpRequest) => method === 'PUT' && /\.seal(\?x-id=|$)/.test(url),
  uploadPart: ({ method, url }: HttpRequest) => method === 'PUT' && url.includes('partNumber='),
  complete: ({ method, url }: HttpRequest) => method === 'POST' && url.includes('uploadId='),
} as const

/** Does `fault` to the first `times` requests that match. */
export function first(
  times: number,
  matches: (request: HttpRequest) => boolean,
  fault: HttpFault,
): FaultRule {
  let left = times
  return (request) => {
    if (left === 0 || !matches(request)) return null
    left--
    return fault
  }
}

/** Does `fault` to a share of the requests that match, as `random` says. */
export function share(
  ratio: number,
  random: SeededRandom,
  matches: (request: HttpRequest) => boolean,
  fault: HttpFault,
): FaultRule {
  return (request) => (matches(request) && random.next() < ratio ? fault : null)
}
