// Tells Node that what lies below dist/cjs is CommonJS, whatever package.json says.
import { writeFileSync } from "node:fs";

writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
