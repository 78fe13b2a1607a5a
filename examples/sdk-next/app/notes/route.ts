/** A route of the application. */
import { addNote, listNotes } from '../../plug.ts'

export async function GET() {
  return Response.json(await listNotes())
}

export async function POST(request: Request) {
  const { text } = (await request.json()) as { text: string }
  return Response.json(await addNote(text))
}
