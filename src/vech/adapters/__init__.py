"""What makes stores native to other libraries; each file needs the library it is named after."""
