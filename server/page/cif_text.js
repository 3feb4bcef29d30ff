// The grammar of CIF: data blocks as maps from a tag to the list of its values. Tags are in lower case,
// with a point read as an underscore, so that old and new dictionaries agree.

import { Fault } from "./fields.js";

const TOKEN = /'(.*?)'(?=\s|$)|"(.*?)"(?=\s|$)|(#.*)|(\S+)/g;

export function readBlocks(text) {
  const tokens = readTokens(text);
  const blocks = [];
  let block = null;
  for (let at = 0; at < tokens.length;) {
    const { bare, text: word, line } = tokens[at];
    if (bare && /^data_/i.test(word)) {
      blocks.push((block = new Map()));
      at++;
    } else if (block === null) {
      throw new Fault(`Line ${line}: “${word}” stands before any data_ block.`);
    } else if (bare && /^loop_$/i.test(word)) {
      at = readLoop(tokens, at + 1, block);
    } else if (isTag(tokens[at])) {
      if (tokens[at + 1] === undefined || isControl(tokens[at + 1]))
        throw new Fault(`Line ${line}: ${word} has no value.`);
      add(block, tokens[at], [tokens[at + 1].text]);
      at += 2;
    } else {
      throw new Fault(`Line ${line}: “${word}” belongs to no tag.`);
    }
  }
  return blocks;
}

function add(block, { text, line }, values) {
  const tag = text.toLowerCase().replaceAll(".", "_");
  if (block.has(tag)) throw new Fault(`Line ${line}: ${text} is there twice.`);
  block.set(tag, values);
}

const isTag = ({ bare, text }) => bare && text.startsWith("_");
const isControl = (token) => isTag(token) || (token.bare && /^(loop_$|data_|save_)/i.test(token.text));

/** Reads the tags and rows of a loop_ into the block; returns where it ends. */
function readLoop(tokens, at, block) {
  const columns = [], line = tokens[at - 1].line;
  for (; at < tokens.length && isTag(tokens[at]); at++) {
    columns.push([]);
    add(block, tokens[at], columns.at(-1));
  }
  let count = 0;
  for (; at < tokens.length && !isControl(tokens[at]); at++)
    columns[count++ % Math.max(columns.length, 1)]?.push(tokens[at].text);
  if (columns.length === 0 || count % columns.length !== 0)
    throw new Fault(`The loop_ of line ${line} has ${count} values for ${columns.length} tags.`);
  return at;
}

/** [{text, bare, line}]; bare is what stands without quotes. */
function readTokens(text) {
  const tokens = [];
  let field = null; // a text between lines that begin with a semicolon
  text.split(/\r?\n/).forEach((content, i) => {
    if (content.startsWith(";")) {
      if (field === null) field = { text: content.slice(1), bare: false, line: i + 1 };
      else {
        tokens.push(field);
        field = null;
      }
    } else if (field !== null) {
      field.text += `\n${content}`;
    } else {
      for (const [, single, double, comment, bare] of content.matchAll(TOKEN))
        if (comment === undefined)
          tokens.push({ text: single ?? double ?? bare, bare: bare !== undefined, line: i + 1 });
    }
  });
  if (field !== null) throw new Fault(`The text field of line ${field.line} does not end.`);
  return tokens;
}
