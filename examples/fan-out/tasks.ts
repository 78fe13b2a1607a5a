import type { TaskContext } from 'plugwork'

/** Pretends to resize an image: the smaller the width, the fewer the bytes. */
export async function Resize(
  { image, width }: { image: string; width: 160 | 320 | 640 },
  context: TaskContext,
): Promise<{ bytes: number }> {
  if (!image.endsWith('.png')) throw new Error(`${image} is no image`)
  context.log.debug(`resizing ${image}`)
  return { bytes: width * width }
}
