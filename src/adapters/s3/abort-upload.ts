import { AbortMultipartUploadCommand, type S3Client } from '@aws-sdk/client-s3'

/**
 * Drops a multipart upload and its parts; one that is gone already is fine. Rejects with what the
 * client throws.
 */
export async function abortUpload(
  client: S3Client,
  place: { readonly Bucket: string; readonly Key: string; readonly UploadId: string },
): Promise<void> {
  try {
    await client.send(new AbortMultipartUploadCommand(place))
  } catch (error) {
    if (!(error instanceof Error && error.name === 'NoSuchUpload')) throw error
  }
}
