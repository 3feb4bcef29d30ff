import { getKey, setKey } from "./api.js";
import { byId, setText } from "./dom.js";
import { startForm } from "./form.js";
import { startLive } from "./live.js";

const form = startForm();
const live = startLive(form.setModels);

byId("key").value = getKey();
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setKey(byId("key").value);
  setText(byId("key-note"), getKey() ? "In use until this tab is closed." : "No key is sent.");
  live.refresh();
  form.refresh();
});
