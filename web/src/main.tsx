// Where the page begins.
import { render } from "preact";
import { App } from "./app";
import "./style/colours.css";
import "./style/page.css";
import "./style/cell.css";
import "./style/screens.css";

const place = document.getElementById("page");
if (place) render(<App />, place);
