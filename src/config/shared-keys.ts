import { durationMs, flag, optional, text, withDefault } from './leaves.ts'
import { refuseEndpoint } from './rules.ts'

/** Keys that several services have in common. */

/** One second and one minute, for bounds and defaults. */
export const SECOND_MS = 1000
export const MINUTE_MS = 60 * SECOND_MS

/** How long a service may take over one request. */
export const requestTimeoutMs = (defaultMs: number) =>
  withDefault(
    durationMs({
      about: 'How long one request may take before it counts as failed.',
      min: SECOND_MS,
      max: 10 * MINUTE_MS,
    }),
    defaultMs,
  )

/** Whom TLS trusts. */
export const caFile = optional(
  text({ about: 'PEM file with the authorities that sign the server certificate.' }),
  "the machine's own authorities",
  '/etc/sealstream/ca.pem',
)

/** Whether there is TLS. */
export const tlsEnabled = withDefault(flag({ about: 'Whether to connect with TLS.' }), false)

/** Where a service is, when it is not AWS itself. */
export const endpoint = (service: string, example: string) =>
  optional(
    text({
      about: `Address of the ${service} service.`,
      bounds: 'http or https URL',
      refuse: refuseEndpoint,
    }),
    'AWS',
    example,
  )

/** Whether an endpoint may be http on another machine. */
export const allowPlainHttp = withDefault(
  flag({
    about: 'Lets the endpoint be http on another machine. Credentials then travel readable.',
  }),
  false,
)

/** Region of an AWS service. */
export const region = withDefault(text({ about: 'AWS region.' }), 'us-east-1')

/** First half of AWS credentials. */
export const accessKeyId = optional(
  text({ about: 'Access key id. Goes with secretAccessKey.' }),
  'the AWS default chain',
  'AKIAIOSFODNN7EXAMPLE',
)

/** Second half of AWS credentials. */
export const secretAccessKey = optional(
  text({ about: 'Secret access key. Goes with accessKeyId.', secret: true }),
  'the AWS default chain',
  'change-me',
)
